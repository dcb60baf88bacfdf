"""Query texts of the simulated market and what the shopper means by them."""

from typing import NamedTuple

import numpy as np

from conf.sections.source import SimulatedSource
from model.arrays import Ints
from model.market.catalogue import (
    ATTRIBUTES,
    NAMES,
    count_shards,
    draw_attributes,
    draw_names,
    draw_types,
)
from model.market.draws import Draws
from model.market.vocabulary import COLOURS

_MAX_NAMED = 3
"""Attributes that a text names at most: more would pass five words."""


class Intents(NamedTuple):
    """What the texts of some numbers mean, each field with one entry per text.

    Attributes:
        number: from 0, also the rank of its traffic.
        type_index: into TYPES.
        wants: [N, 4], indices into NAMES of each of ATTRIBUTES, -1 where the text names none.
    """

    number: Ints
    type_index: Ints
    wants: Ints


def draw_intents(number: Ints, source: SimulatedSource, draws: Draws) -> Intents:
    """Draw what the texts mean, [N]: the attributes of a target item, so something fits every
    text."""
    count = count_shards(source)
    target = draws.draw_below(source.items // count, "target", number) * count + number % count
    kind = draw_types(target, draws)
    order = np.stack([draws.draw_uniform(f"named/{name}", number) for name in ATTRIBUTES], axis=-1)
    is_named = order.argsort(axis=1).argsort(axis=1) < _count_named(number, source, draws)[:, None]
    return Intents(number, kind, np.where(is_named, draw_attributes(target, kind, draws), -1))


def _count_named(number: Ints, source: SimulatedSource, draws: Draws) -> Ints:
    """Count the named attributes of a text, 0 to 3; head queries name fewer."""
    depth = np.log(number + 1.0) / np.log(source.queries + 1.0) - 0.5
    tendency = draws.draw_uniform("named", number) + 0.3 * depth
    return np.asarray((tendency[:, None] > (0.12, 0.55, 0.9)).sum(axis=1), np.int64)


def write_texts(intents: Intents, source: SimulatedSource, draws: Draws) -> list[str]:
    """Write what shoppers type: named attributes and type in one of three orders, with synonyms and
    typos.

    Two texts may be equal.
    """
    number, share = intents.number, source.synonym_share
    joins = draws.draw_uniform("size", number) < 0.5
    # Where three attributes are named the size is one word, to keep to five words.
    joins |= (intents.wants >= 0).sum(axis=1) == _MAX_NAMED
    columns = (
        draws.draw_below(3, "wording", number),
        draw_names(intents.type_index, share, draws, "synonym/type", number),
        intents.wants,
        draws.draw_uniform("replaced/colour", number) < share,
        draws.draw_uniform("synonym/colour", number),
        joins,
        draws.draw_uniform("typo", number) < source.typo_share,
        draws.draw_uniform("typo/at", number),
        draws.draw_uniform("typo/kind", number) < 0.5,
    )
    return [
        _mistype(_word_text(*row[:6]), row[7], row[8]) if row[6] else _word_text(*row[:6])
        for row in zip(*columns, strict=True)
    ]


def _word_text(
    order: int, name: str, wants: Ints, replaces: bool, synonym: float, joins: bool
) -> str:
    brand, colour, size, material = (
        [str(NAMES[a][w])] if w >= 0 else [] for a, w in zip(ATTRIBUTES, wants, strict=True)
    )
    if colour and replaces:
        others = COLOURS[wants[ATTRIBUTES.index("colour")]][1]
        colour = [others[int(synonym * len(others))]]
    if joins:
        size = [word.replace(" ", "") for word in size]
    brand = [word.lower() for word in brand]
    orders = (
        [*colour, *brand, *material, name, *size],
        [*size, *colour, *material, name, *brand],
        [*brand, *material, name, *colour, *size],
    )
    return " ".join(orders[order])


def _mistype(text: str, place: float, swaps: bool) -> str:
    """Swap two letters or leave one out, never the first or last; a short text stays as it is."""
    if len(text) < 5:
        return text
    at = int(place * (len(text) - 3)) + 1
    here, following = text[at], text[at + 1]
    return text[:at] + (following + here if swaps else following) + text[at + 2 :]
