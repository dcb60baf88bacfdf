"""The same trials for every arm, and the best of them."""

import numpy as np
import pytest

from conf.sections.experiment import SearchConf
from model.experiments.figures import UnitRows
from model.experiments.search import choose_trial, draw_trials, score_trial

GRID = {"trainer.learning_rate": [0.1, 0.2], "model.dropout": [0.0, 0.5]}


def search(trials: int) -> SearchConf:
    return SearchConf(grid=GRID, trials=trials, choose=("auc.a", "auc.b"))


def test_the_first_trial_is_the_conf_as_it_stands_and_the_others_differ() -> None:
    found = draw_trials(search(4))
    assert found[0] == {} and len(found) == 4
    assert len({str(t) for t in found}) == 4
    assert found == draw_trials(search(4))
    assert draw_trials(search(2)) == found[:2]


def test_a_small_grid_is_tried_whole() -> None:
    assert len(draw_trials(search(50))) == 5
    assert draw_trials(SearchConf(choose=("auc.a",))) == [{}]


def test_the_score_is_the_mean_of_the_chosen_figures() -> None:
    rows = UnitRows(np.arange(4), 4, "all")
    figures = [rows.build_mean("auc.a", np.full(4, 0.5)), rows.build_mean("auc.b", np.full(4, 0.7))]
    assert score_trial(figures, ("auc.a", "auc.b")) == pytest.approx(0.6)
    with pytest.raises(KeyError, match=r"no figures \['auc.c'\]; there are"):
        score_trial(figures, ("auc.c",))


def test_a_trial_that_failed_is_never_the_best() -> None:
    assert choose_trial({0: float("nan"), 1: 0.2, 2: 0.3, 3: 0.3}) == 2
    with pytest.raises(ValueError, match="no trial"):
        choose_trial({0: float("nan")})
