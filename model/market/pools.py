"""Which items compete for a query's result page, and how well each fits the query."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from conf.sections.source import SimulatedSource
from model.arrays import Floats, Ints
from model.market.catalogue import SHARD_ITEMS, count_shards, draw_items
from model.market.draws import Bools, Draws
from model.market.intents import Intents
from model.market.logger import score_shelf
from model.market.vocabulary import TYPES

MISFIT_CHOICE = 10
"""Items among which a misfit is the one with the best shelf score."""


class CandidatePool(NamedTuple):
    """The pairs that compete, each field [N] with one entry per pair.

    Attributes:
        text: place of the text among those that were asked for.
        item: number of the item.
        grade: 2 all named attributes match, 1 the type matches and an attribute does not, 0 else.
    """

    text: Ints
    item: Ints
    grade: Ints


def count_mismatches(wants: Ints, attributes: Ints) -> Ints:
    """Count the named attributes that the item does not have, of [..., 4] each."""
    return np.asarray(((wants >= 0) & (wants != attributes)).sum(axis=-1), np.int64)


def draw_pools(intents: Intents, source: SimulatedSource, draws: Draws) -> CandidatePool:
    """Draw the pools of some texts; one entry per pair, the texts in order.

    A pool holds the best matches by attributes, the most popular items of the right type, and
    popular cheap items of other types, as a log's result pages do.
    """
    parts = [*_draw_right_type(intents, source, draws), _draw_misfits(intents, source, draws)]
    text, item, grade = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    _, distinct = np.unique(text * source.items + item, return_index=True)
    return CandidatePool(text[distinct], item[distinct], grade[distinct])


def _draw_right_type(
    intents: Intents, source: SimulatedSource, draws: Draws
) -> Iterator[CandidatePool]:
    """Draw the pairs of each shard and type: the best matches, and the most popular."""
    count = count_shards(source)
    shard = intents.number % count
    for group in np.unique(shard * len(TYPES) + intents.type_index):
        at, kind = divmod(int(group), len(TYPES))
        number, attributes, liked = _build_shelf(source, at, count, draws)[kind]
        text = np.flatnonzero((shard == at) & (intents.type_index == kind))
        differ = count_mismatches(intents.wants[text][:, None], attributes)
        is_in = _are_matches(differ, intents.number[text], number, source, draws)
        is_in[:, np.argsort(-liked, kind="stable")[: source.pool_popular]] = True
        row, column = np.nonzero(is_in)
        yield CandidatePool(text[row], number[column], np.where(differ[row, column] == 0, 2, 1))


@lru_cache(maxsize=1)
def _build_shelf(
    source: SimulatedSource, shard: int, count: int, draws: Draws
) -> list[tuple[Ints, Ints, Floats]]:
    """List a shard's items by type: number, attributes, shelf score."""
    items = draw_items(np.arange(shard, source.items, count), draws)
    score = score_shelf(source.policy, items.latents.popularity, items.latents.cheapness)
    of_type = (np.flatnonzero(items.type_index == kind) for kind in range(len(TYPES)))
    return [(items.number[at], items.attributes[at], score[at]) for at in of_type]


def _are_matches(
    differ: Ints, text: Ints, number: Ints, source: SimulatedSource, draws: Draws
) -> Bools:
    """Tell whether an item is among those that miss the fewest named attributes, [texts, items].

    Of the items that miss one, only a random part is looked at: enough to fill a pool.
    """
    per_type = min(source.items, SHARD_ITEMS) / len(TYPES)
    tie = draws.draw_uniform("match", text[:, None], number)
    looked_at = (differ == 0) | (tie < 4 * source.pool_matches / per_type)
    score = np.where(looked_at, differ + tie, np.inf)
    last = min(source.pool_matches, score.shape[1]) - 1
    worst = np.partition(score, last, axis=1)[:, last, None]
    return np.asarray(looked_at & (score <= worst), np.bool_)


def _draw_misfits(intents: Intents, source: SimulatedSource, draws: Draws) -> CandidatePool:
    """Draw a few random groups of items of other types and take the winner of each.

    Groups are drawn for each text, so that misfits differ between texts; an item that shares
    a named attribute is more likely, as it is in retrieval by words.
    """
    groups = max(1, source.items // MISFIT_CHOICE)
    text = intents.number[:, None]
    group = draws.draw_below(groups, "misfit", text, np.arange(source.pool_misfits))
    number = group[..., None] * MISFIT_CHOICE + np.arange(MISFIT_CHOICE)  # (texts, draws, items)
    items = draw_items(number.ravel(), draws)
    attributes = items.attributes.reshape(*number.shape, -1)
    shared = (intents.wants[:, None, None] == attributes).sum(axis=-1)
    liked = score_shelf(source.policy, items.latents.popularity, items.latents.cheapness)
    noise = draws.draw_normal("misfit", text[..., None], number)
    score = liked.reshape(number.shape) + shared + 0.5 * noise
    is_other = items.type_index.reshape(number.shape) != intents.type_index[:, None, None]
    best = np.where(is_other, score, -np.inf).argmax(axis=-1)[..., None]
    row, draw = np.nonzero(is_other.any(axis=-1))
    item = np.take_along_axis(number, best, axis=-1)[row, draw, 0]
    return CandidatePool(row, item, np.zeros_like(row))
