"""Items of the simulated market."""

from collections.abc import Callable, Sequence
from datetime import date
from string import capwords
from typing import NamedTuple

import numpy as np
import pandas as pd

from conf.sections.source import SimulatedSource
from model.arrays import Floats, Ints
from model.market.draws import Draws, Texts
from model.market.offers import Latents, compute_prices, draw_latents, draw_listing_days
from model.market.vocabulary import (
    BRANDS,
    BRANDS_PER_TYPE,
    COLOURS,
    MATERIALS,
    SERIES,
    SIZES,
    TYPES,
    ItemType,
    choose_brand,
)

SHARD_ITEMS = 20_000
"""Items of one shard. A query looks for items in its own shard only, which keeps the work of
making pools proportional to the number of queries, whatever the size of the catalogue."""


def as_texts(values: Sequence[str]) -> Texts:
    """Put the values into an array, to take from by index."""
    return np.array(values, dtype=object)


TYPE_NAMES = as_texts([t.name for t in TYPES])
_PRICES = np.array([t.price for t in TYPES])
NAMES: dict[str, Texts] = {
    "brand": as_texts(BRANDS),
    "colour": as_texts([name for name, _ in COLOURS]),
    "size": as_texts(list(dict.fromkeys(size for kind in SIZES.values() for size in kind))),
    "material": as_texts(list(dict.fromkeys(m for kind in MATERIALS.values() for m in kind))),
}
"""Every value of an attribute; an item has its index."""
ATTRIBUTES = tuple(NAMES)
_OF_TYPE: dict[str, Callable[[int, ItemType], Sequence[str]]] = {
    "brand": lambda at, _: [BRANDS[choose_brand(at, choice)] for choice in range(BRANDS_PER_TYPE)],
    "colour": lambda _, __: NAMES["colour"].tolist(),
    "size": lambda _, of: SIZES[of.sizes],
    "material": lambda _, of: MATERIALS[of.materials],
}


def _list_choices(attribute: str) -> list[Ints]:
    """List, for each type, the indices into the attribute's NAMES that it may have."""
    place = {name: at for at, name in enumerate(NAMES[attribute])}
    of_type = _OF_TYPE[attribute]
    return [np.array([place[n] for n in of_type(at, t)]) for at, t in enumerate(TYPES)]


_CHOICES = {attribute: _list_choices(attribute) for attribute in ATTRIBUTES}
_COUNTS = {name: np.array([len(c) for c in choices]) for name, choices in _CHOICES.items()}
_STARTS = {name: np.cumsum(counts) - counts for name, counts in _COUNTS.items()}
_FLAT = {name: np.concatenate(choices) for name, choices in _CHOICES.items()}


class Items(NamedTuple):
    """Items, each field with one entry per item.

    Attributes:
        number: from 0.
        type_index: into TYPES.
        attributes: [N, 4], indices into NAMES of each of ATTRIBUTES.
        latents: quality, cheapness, popularity.
        price: in the catalogue.
    """

    number: Ints
    type_index: Ints
    attributes: Ints
    latents: Latents
    price: Floats


def draw_items(number: Ints, draws: Draws) -> Items:
    """Draw the items of these numbers, [N]."""
    kind = draw_types(number, draws)
    attributes = draw_attributes(number, kind, draws)
    brands = attributes[:, ATTRIBUTES.index("brand")]
    latents = draw_latents(number.astype(np.uint64), brands.astype(np.uint64), draws)
    return Items(
        number, kind, attributes, latents, compute_prices(_PRICES[kind], latents.cheapness)
    )


def count_shards(source: SimulatedSource) -> int:
    """Count the catalogue's shards; item and text of number n are of shard n modulo the count."""
    return max(1, source.items // SHARD_ITEMS)


def draw_types(number: Ints, draws: Draws) -> Ints:
    """Draw an index into TYPES per number; the first types are somewhat more common."""
    return np.asarray(draws.draw_uniform("type", number) ** 1.2 * len(TYPES), np.int64)


def draw_attributes(number: Ints, type_index: Ints, draws: Draws) -> Ints:
    """Draw indices into NAMES of each of ATTRIBUTES, [N, 4]; of a type's brands the first are
    common."""
    drawn = []
    for name in ATTRIBUTES:
        share = draws.draw_uniform(name, number) ** (1.5 if name == "brand" else 1.0)
        choice = (share * _COUNTS[name][type_index]).astype(np.int64)
        drawn.append(_FLAT[name][_STARTS[name][type_index] + choice])
    return np.stack(drawn, axis=-1)


def format_item_ids(number: Ints) -> list[str]:
    """Format the item_id of each number."""
    return [f"i{n:09d}" for n in number.tolist()]


def as_on_shelf(items: Items, draws: Draws, first_day: date) -> pd.DataFrame:
    """List what a shop knows of its items, one row per item: no latents.

    Args:
        items: of the catalogue.
        draws: of its seed.
        first_day: first day of the log; every item is listed before it.
    """
    values = {name: NAMES[name][items.attributes[:, at]] for at, name in enumerate(ATTRIBUTES)}
    return pd.DataFrame(
        {
            "item_id": format_item_ids(items.number),
            "title": _write_titles(items, values, draws),
            "price": items.price,
            "item_type": TYPE_NAMES[items.type_index],
            "listed_on": draw_listing_days(items.number.astype(np.uint64), draws, first_day),
            **values,
        }
    )


def _write_titles(items: Items, values: dict[str, Texts], draws: Draws) -> list[str]:
    """Write titles as sellers write them: one of three orders, some words left out or replaced."""
    number = items.number
    name = draw_names(items.type_index, 0.12, draws, "title/synonym", number)
    columns = (
        draws.draw_below(3, "title/order", number),
        values["brand"],
        [f"{s}." if s.endswith((" in", " ft", " oz", " gal")) else s for s in values["size"]],
        [capwords(material) for material in values["material"]],
        draws.draw_uniform("title/material", number) < 0.9,
        map(capwords, name),
        map(capwords, values["colour"]),
        as_texts(SERIES)[draws.draw_below(len(SERIES), "title/series", number)],
        draws.draw_uniform("title/packed", number) < 0.1,
        draws.draw_below(3, "title/pack", number) + 2,
    )
    return [_write_title(*row) for row in zip(*columns, strict=True)]


def _write_title(
    order: int,
    brand: str,
    size: str,
    material: str,
    has_material: bool,
    name: str,
    colour: str,
    series: str,
    packed: bool,
    pack: int,
) -> str:
    of = [material] if has_material else []
    words = (
        [brand, size, *of, name, "in", colour],
        [brand, series, colour, *of, name, "-", size],
        [series, size, colour, name, "by", brand],
    )[order]
    return " ".join([*words, f"({pack}-Pack)"] if packed else words)


def draw_names(type_index: Ints, share: float, draws: Draws, purpose: str, number: Ints) -> Texts:
    """Give the type's name, or for a share of the rows another name for it."""
    replaced = draws.draw_uniform(f"{purpose}/replaced", number) < share
    which = draws.draw_uniform(purpose, number)
    names = TYPE_NAMES[type_index]
    for at in np.flatnonzero(replaced):
        others = TYPES[type_index[at]].synonyms
        names[at] = others[int(which[at] * len(others))]
    return names
