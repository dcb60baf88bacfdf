"""Pools against a slow, plain reading of what they promise."""

import numpy as np
import pytest

from conf.sections.source import SimulatedSource
from model.market.catalogue import ATTRIBUTES, NAMES, draw_items
from model.market.draws import Draws
from model.market.intents import draw_intents, write_texts
from model.market.logger import score_shelf
from model.market.pools import count_mismatches, draw_pools
from model.market.vocabulary import TYPES

SOURCE = SimulatedSource(
    items=3_000, queries=40, pool_matches=6, pool_popular=4, pool_misfits=5, typo_share=0.0
)
DRAWS = Draws(11)


@pytest.mark.parametrize("text", [0, 7, 39])
def test_a_pool_has_the_best_matches_the_popular_and_misfits(text: int) -> None:
    intents = draw_intents(np.array([text]), SOURCE, DRAWS)
    found = draw_pools(intents, SOURCE, DRAWS)
    assert len(np.unique(found.item)) == len(found.item) and (found.text == 0).all()
    shelf = draw_items(np.arange(SOURCE.items), DRAWS)
    fits = shelf.type_index == intents.type_index[0]
    differ = count_mismatches(intents.wants[0], shelf.attributes)
    grades = np.where(fits, np.where(differ == 0, 2, 1), 0)
    assert (found.grade == grades[found.item]).all()
    score = score_shelf(SOURCE.policy, shelf.latents.popularity, shelf.latents.cheapness)
    popular = np.flatnonzero(fits)[np.argsort(-score[fits])[:4]]
    others = np.setdiff1d(found.item[found.grade > 0], popular)
    assert np.isin(popular, found.item).all() and 2 <= len(others) <= 6
    # nothing that matches better was passed over
    rest = np.setdiff1d(np.flatnonzero(grades == 2), found.item)
    assert len(rest) == 0 or (grades[others] == 2).all()
    assert 3 <= (found.grade == 0).sum() <= 5


def test_a_text_has_its_pool_whatever_texts_are_beside_it() -> None:
    together = draw_pools(draw_intents(np.arange(40), SOURCE, DRAWS), SOURCE, DRAWS)
    alone = draw_pools(draw_intents(np.array([23]), SOURCE, DRAWS), SOURCE, DRAWS)
    assert together.item[together.text == 23].tolist() == alone.item.tolist()


def test_a_text_names_what_it_wants_and_no_more() -> None:
    source = SOURCE.model_copy(update={"synonym_share": 0.0})
    intents = draw_intents(np.arange(400), source, DRAWS)
    wants = intents.wants
    assert set((wants >= 0).sum(axis=1)) == {0, 1, 2, 3}
    assert (wants[:40] >= 0).mean() < (wants >= 0).mean()
    for text, kind, wanted in zip(
        write_texts(intents, source, DRAWS), intents.type_index, wants, strict=True
    ):
        named = [
            str(NAMES[a][w]).lower() for a, w in zip(ATTRIBUTES, wanted, strict=True) if w >= 0
        ]
        said = "".join([TYPES[kind].name, *named]).replace(" ", "")
        assert sorted(text.replace(" ", "")) == sorted(said) and len(text.split()) <= 5
