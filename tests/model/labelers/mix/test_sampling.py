"""Quotas of grades and the stratified mix."""

import numpy as np
import pytest

from conf.sections.labelers.labeling import MixConf
from model.labelers.base import LabelerError
from model.labelers.mix.sampling import (
    compute_quotas,
    compute_total_variation,
    count_grades,
    stratify_mix,
)

COUNTS = (70, 470, 460)


@pytest.mark.parametrize(
    ("conf", "most", "expected"),
    [
        (MixConf(), 10_000, (70, 470, 460)),
        (MixConf(), 100, (7, 47, 46)),
        (MixConf(sampling="balanced"), 10_000, (70, 70, 70)),
        (MixConf(sampling="balanced"), 60, (20, 20, 20)),
        # grade 0 is the scarce one: 70 / .2 = 350 pairs in all
        (MixConf(sampling="given", given=(0.2, 0.4, 0.4)), 10_000, (70, 140, 140)),
        (MixConf(sampling="given", given=(1.0, 2.0, 2.0)), 10_000, (70, 140, 140)),
        (MixConf(), 5, (1, 2, 2)),
    ],
)
def test_quotas(conf: MixConf, most: int, expected: tuple[int, int, int]) -> None:
    assert compute_quotas(COUNTS, conf, most) == expected


def test_an_absent_grade_is_named() -> None:
    with pytest.raises(LabelerError, match="grade 0 is absent from the pairs to fit on"):
        compute_quotas((0, 5, 5), MixConf(), 10)


def test_stratified_mix_by_hand() -> None:
    graded = {"head": (1, 1, 8), "tail": (5, 3, 2), "empty": (0, 0, 0)}
    # .25 x (.1 .1 .8) + .75 x (.5 .3 .2); the stratum without grades is left out
    found = stratify_mix(graded, {"head": 100, "tail": 300, "empty": 50, "unknown": 7})
    assert found == pytest.approx((0.4, 0.25, 0.35))
    with pytest.raises(LabelerError, match="no stratum"):
        stratify_mix(graded, {"empty": 3})


def test_counts_and_distance() -> None:
    assert count_grades(np.array([0, 2, 2])) == (1, 0, 2)
    assert compute_total_variation((0.1, 0.4, 0.5), (0.3, 0.3, 0.4)) == pytest.approx(0.2)
