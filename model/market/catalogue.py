"""Items of the simulated market."""

from collections.abc import Callable, Sequence
from datetime import date
from string import capwords
from typing import NamedTuple

import numpy as np
import pandas as pd

from conf.sections.source import SimulatedSource
from model.market.draws import Draws, Floats, Ints, Texts
from model.market.offers import Latents, latents_of, listed_on, price_of
from model.market.vocabulary import (
    BRANDS,
    BRANDS_PER_TYPE,
    COLOURS,
    MATERIALS,
    SERIES,
    SIZES,
    TYPES,
    ItemType,
    brand_of,
)

SHARD_ITEMS = 20_000
"""Items of one shard. A query looks for items in its own shard only, which keeps the work of
making pools proportional to the number of queries, whatever the size of the catalogue."""


def texts(values: Sequence[str]) -> Texts:
    """The values as an array to take from by index."""
    return np.array(values, dtype=object)


TYPE_NAMES = texts([t.name for t in TYPES])
_PRICES = np.array([t.price for t in TYPES])
NAMES: dict[str, Texts] = {
    "brand": texts(BRANDS),
    "colour": texts([name for name, _ in COLOURS]),
    "size": texts(list(dict.fromkeys(size for kind in SIZES.values() for size in kind))),
    "material": texts(list(dict.fromkeys(m for kind in MATERIALS.values() for m in kind))),
}
"""Every value of an attribute; an item has its index."""
ATTRIBUTES = tuple(NAMES)
_OF_TYPE: dict[str, Callable[[int, ItemType], Sequence[str]]] = {
    "brand": lambda at, _: [BRANDS[brand_of(at, choice)] for choice in range(BRANDS_PER_TYPE)],
    "colour": lambda _, __: NAMES["colour"].tolist(),
    "size": lambda _, of: SIZES[of.sizes],
    "material": lambda _, of: MATERIALS[of.materials],
}


def _choices(attribute: str) -> list[Ints]:
    """Indices into the attribute's NAMES that each type may have."""
    place = {name: at for at, name in enumerate(NAMES[attribute])}
    of_type = _OF_TYPE[attribute]
    return [np.array([place[n] for n in of_type(at, t)]) for at, t in enumerate(TYPES)]


_CHOICES = {attribute: _choices(attribute) for attribute in ATTRIBUTES}
_COUNTS = {name: np.array([len(c) for c in choices]) for name, choices in _CHOICES.items()}
_STARTS = {name: np.cumsum(counts) - counts for name, counts in _COUNTS.items()}
_FLAT = {name: np.concatenate(choices) for name, choices in _CHOICES.items()}


class Items(NamedTuple):
    """Items, each field with an entry an item.

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


def items_of(number: Ints, draws: Draws) -> Items:
    """The items of these numbers, [N]."""
    kind = type_of(number, draws)
    attributes = attributes_of(number, kind, draws)
    brands = attributes[:, ATTRIBUTES.index("brand")]
    latents = latents_of(number.astype(np.uint64), brands.astype(np.uint64), draws)
    return Items(number, kind, attributes, latents, price_of(_PRICES[kind], latents.cheapness))


def shards(source: SimulatedSource) -> int:
    """Number of shards of the catalogue; item and text of number n are of shard n modulo it."""
    return max(1, source.items // SHARD_ITEMS)


def type_of(number: Ints, draws: Draws) -> Ints:
    """Index into TYPES; the first types are somewhat more common."""
    return np.asarray(draws.uniform("type", number) ** 1.2 * len(TYPES), np.int64)


def attributes_of(number: Ints, type_index: Ints, draws: Draws) -> Ints:
    """Indices into NAMES of each of ATTRIBUTES, [N, 4]; of a type's brands the first are common."""
    drawn = []
    for name in ATTRIBUTES:
        share = draws.uniform(name, number) ** (1.5 if name == "brand" else 1.0)
        choice = (share * _COUNTS[name][type_index]).astype(np.int64)
        drawn.append(_FLAT[name][_STARTS[name][type_index] + choice])
    return np.stack(drawn, axis=-1)


def item_ids(number: Ints) -> list[str]:
    """item_id of each number."""
    return [f"i{n:09d}" for n in number.tolist()]


def as_on_shelf(items: Items, draws: Draws, first: date) -> pd.DataFrame:
    """What a shop knows of its items, one row per item: no latents.

    Args:
        items: of the catalogue.
        draws: of its seed.
        first: first day of the log; every item is listed before it.
    """
    values = {name: NAMES[name][items.attributes[:, at]] for at, name in enumerate(ATTRIBUTES)}
    return pd.DataFrame(
        {
            "item_id": item_ids(items.number),
            "title": _titles(items, values, draws),
            "price": items.price,
            "item_type": TYPE_NAMES[items.type_index],
            "listed_on": listed_on(items.number.astype(np.uint64), draws, first),
            **values,
        }
    )


def _titles(items: Items, values: dict[str, Texts], draws: Draws) -> list[str]:
    """Titles as sellers write them: one of three orders, some words left out or replaced."""
    number = items.number
    name = another_name(items.type_index, 0.12, draws, "title/synonym", number)
    columns = (
        draws.below(3, "title/order", number),
        values["brand"],
        [f"{s}." if s.endswith((" in", " ft", " oz", " gal")) else s for s in values["size"]],
        [capwords(material) for material in values["material"]],
        draws.uniform("title/material", number) < 0.9,
        map(capwords, name),
        map(capwords, values["colour"]),
        texts(SERIES)[draws.below(len(SERIES), "title/series", number)],
        draws.uniform("title/packed", number) < 0.1,
        draws.below(3, "title/pack", number) + 2,
    )
    return [_title(*row) for row in zip(*columns, strict=True)]


def _title(
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


def another_name(type_index: Ints, share: float, draws: Draws, purpose: str, number: Ints) -> Texts:
    """The type's name, or for a share of the rows another name for it."""
    replaced = draws.uniform(f"{purpose}/replaced", number) < share
    which = draws.uniform(purpose, number)
    names = TYPE_NAMES[type_index]
    for at in np.flatnonzero(replaced):
        others = TYPES[type_index[at]].synonyms
        names[at] = others[int(which[at] * len(others))]
    return names
