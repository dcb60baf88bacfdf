"""Calibration maps: hand numbers, order kept, JSON, regions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conf.sections.training import CalibrationConf
from model.serving.calibration import (
    Identity,
    Knots,
    Platt,
    fit_isotonic,
    fit_map,
    fit_platt,
    from_json,
)
from model.serving.calibrators import (
    Calibrators,
    LabelledPredictions,
    build_identities,
    fit_calibrators,
)

ONE_BIN_A_ROW = CalibrationConf(min_positives=1, bin_rows=1, bins=10_000)


def test_isotonic_pools_violators_and_stands_at_block_centres() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.6, 0.9])
    label = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    knots = fit_isotonic(p, label, np.ones(5), bins=100, bin_rows=1)
    # Blocks: {.1}, {.2, .3} (1 before 0), {.6}, {.9}; each label mixed with .001 of its p.
    assert knots.x.tolist() == pytest.approx([0.0, 0.1, 0.25, 0.6, 0.9, 1.0])
    mixed = [0.0, 0.0001, 0.4995 + 0.00025, 0.999 + 0.0006, 0.999 + 0.0009, 1.0]
    assert knots.y.tolist() == pytest.approx(mixed)
    halfway = (0.0001 + mixed[2]) / 2
    assert float(knots(np.array([0.175]))[0]) == pytest.approx(halfway)


def test_isotonic_uses_weights_and_ties() -> None:
    p = np.array([0.2, 0.2, 0.8])
    knots = fit_isotonic(p, np.array([1.0, 0.0, 1.0]), np.array([1.0, 3.0, 1.0]), 100, 1)
    assert knots.x[1] == pytest.approx(0.2)
    assert knots.y[1] == pytest.approx(0.25 * 0.999 + 0.0002)


def test_bins_keep_a_single_row_from_making_a_block() -> None:
    rng = np.random.default_rng(0)
    p = np.sort(rng.random(1_000)) * 0.1
    label = (rng.random(1_000) < p).astype(float)
    label[-1] = 1.0
    fine = fit_isotonic(p, label, np.ones(1_000), 10_000, 1)
    coarse = fit_isotonic(p, label, np.ones(1_000), 10_000, 100)
    assert fine.y[-2] > 0.9 and coarse.y[-2] < 0.3
    assert len(coarse.x) <= 12


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["isotonic", "platt"]))
def test_maps_keep_the_order_strictly(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    p = rng.random(300) ** 2
    label = (rng.random(300) < p**0.5).astype(float)
    conf = ONE_BIN_A_ROW.model_copy(update={"method": method})
    found = fit_map(p, label, rng.random(300) + 0.1, conf)
    assert found is not None
    inside = np.linspace(0.001, 0.999, 200)
    assert bool((np.diff(found(inside)) > 0).all())
    assert float(found(inside).min()) >= 0 and float(found(inside).max()) <= 1


def test_platt_finds_a_planted_slope_and_offset() -> None:
    logit = np.linspace(-4, 4, 400)
    label = 1 / (1 + np.exp(-(0.5 * logit - 1.0)))  # soft labels: the fit is exact
    found = fit_platt(1 / (1 + np.exp(-logit)), label, np.ones(400))
    assert isinstance(found, Platt)
    assert (found.slope, found.offset) == pytest.approx((0.5, -1.0), abs=1e-6)
    expected = 1 / (1 + math.exp(1.0))
    assert float(found(np.array([0.5]))[0]) == pytest.approx(expected, abs=1e-6)


def test_platt_does_not_turn_the_order_round() -> None:
    p = np.linspace(0.1, 0.9, 100)
    found = fit_platt(p, 1.0 - p, np.ones(100))
    assert isinstance(found, Platt) and found.slope == 1.0
    assert float(found(p).mean()) == pytest.approx(0.5, abs=1e-6)


def test_too_few_positives_or_negatives_give_no_map() -> None:
    conf = CalibrationConf(min_positives=3)
    p, weight = np.full(10, 0.5), np.ones(10)
    assert fit_map(p, np.r_[np.ones(2), np.zeros(8)], weight, conf) is None
    assert fit_map(p, np.r_[np.ones(8), np.zeros(2)], weight, conf) is None
    assert fit_map(p, np.r_[np.ones(5), np.zeros(5)], np.r_[np.zeros(3), np.ones(7)], conf) is None


@pytest.mark.parametrize(
    "map_",
    [Identity(), Platt(0.7, -0.1), Knots(np.array([0.0, 0.3, 1.0]), np.array([0.0, 0.1, 1.0]))],
)
def test_maps_survive_json(map_: Identity | Platt | Knots) -> None:
    p = np.linspace(0, 1, 50)
    again = from_json(json.loads(json.dumps(map_.to_json())))
    np.testing.assert_array_equal(again(p), map_(p))


def test_json_that_cannot_be_a_map() -> None:
    with pytest.raises(ValueError, match="unknown calibrator"):
        from_json({"kind": "pickle"})
    with pytest.raises(ValueError, match="increase"):
        from_json({"kind": "knots", "x": [0.0, 0.5, 0.5], "y": [0.0, 0.1, 1.0]})


def planted_known() -> tuple[dict[str, LabelledPredictions], np.ndarray]:
    """Region 1 has twice the predicted rate, region 2 half of it, region 3 few rows."""
    rng = np.random.default_rng(1)
    region = np.repeat([1, 2, 3], [20_000, 20_000, 50])
    p = rng.uniform(0.05, 0.4, len(region))
    factor = np.array([0.0, 2.0, 0.5, 1.0])[region]
    label = (rng.random(len(region)) < factor * p).astype(float)
    rows = LabelledPredictions(p, label, np.ones(len(region)))
    grades = LabelledPredictions(p, (label > 0).astype(float), np.zeros(len(region)))
    return {"p_click": rows, "p_ge_1": grades, "p_ge_2": grades}, region


def test_regions_get_a_map_of_their_own_where_data_allow() -> None:
    known, region = planted_known()
    found = fit_calibrators(known, region, ("a", "b", "c"), CalibrationConf())
    assert set(found.by_region["p_click"]) == {"a", "b"}
    assert isinstance(found.common["p_ge_1"], Identity)
    raw = {name: np.array([0.2, 0.2, 0.2, 0.2], np.float32) for name in known}
    out = found.apply(raw, np.array([1, 2, 3, 0]))["p_click"]
    assert out[0] == pytest.approx(0.4, rel=0.05) and out[1] == pytest.approx(0.1, rel=0.1)
    assert out[2] == out[3] == pytest.approx(0.25, rel=0.1)
    again = Calibrators.from_json(json.loads(json.dumps(found.to_json())), ("a", "b", "c"))
    np.testing.assert_array_equal(again.apply(raw, np.array([1, 2, 3, 0]))["p_click"], out)
    with pytest.raises(ValueError, match="unknown regions"):
        Calibrators.from_json(found.to_json(), ("a", "c"))


def test_grades_stay_ordered_after_calibration() -> None:
    swap = {"p_ge_1": Platt(1.0, -2.0), "p_ge_2": Platt(1.0, 2.0)}
    found = Calibrators(swap, {}, ())
    raw = {"p_ge_1": np.array([0.6, 0.9], np.float32), "p_ge_2": np.array([0.5, 0.1], np.float32)}
    out = found.apply(raw, np.zeros(2))
    assert bool((out["p_ge_2"] <= out["p_ge_1"]).all())


def test_no_rows_and_no_maps() -> None:
    outputs = ("p_ge_1", "p_ge_2")
    raw = {name: np.zeros(0, np.float32) for name in outputs}
    assert build_identities(outputs, ("a", "b")).apply(raw, np.zeros(0))["p_ge_1"].shape == (0,)


def test_as_many_positives_as_conf_says_are_enough() -> None:
    label = np.r_[np.ones(3), np.zeros(3)]
    assert fit_map(np.full(6, 0.5), label, np.ones(6), CalibrationConf(min_positives=3)) is not None


def test_a_row_of_weight_3_counts_as_three_rows() -> None:
    p, label, weight = np.array([0.2, 0.4]), np.array([1.0, 0.0]), np.array([1.0, 3.0])
    for bin_rows in (1, 2):  # two blocks that are pooled, then one bin
        knots = fit_isotonic(p, label, weight, 100, bin_rows)
        assert knots.x[1:-1].tolist() == pytest.approx([0.35])
        assert knots.y[1:-1].tolist() == pytest.approx([0.999 * 0.25 + 0.001 * 0.35])
    p, label = np.array([0.1, 0.3, 0.5, 0.8]), np.array([0.0, 1.0, 0.0, 1.0])
    found = fit_platt(p, label, np.array([1.0, 3.0, 2.0, 1.0]))
    thrice = [0, 1, 1, 1, 2, 2, 3]
    repeated = fit_platt(p[thrice], label[thrice], np.ones(7))
    assert isinstance(found, Platt) and isinstance(repeated, Platt)
    assert (found.slope, found.offset) == pytest.approx((repeated.slope, repeated.offset))


def test_knots_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="increase"):
        from_json({"kind": "knots", "x": [0.0, 0.5, 1.0], "y": [0.0, 0.6, 0.5]})


def test_unknown_regions_take_the_common_map_whichever_regions_have_their_own() -> None:
    own = {"a": Platt(1.0, 1.0), "b": Platt(1.0, 2.0)}
    found = Calibrators({"p_click": Platt(1.0, 0.0)}, {"p_click": own}, ("a", "b"))
    raw = {"p_click": np.full(4, 0.5, np.float32)}
    out = found.apply(raw, np.array([0, 1, 2, 3]))["p_click"]
    expected = [1 / (1 + math.exp(-offset)) for offset in (0.0, 1.0, 2.0, 0.0)]
    assert out.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "regions"),
    [({"by_region": False}, ("a", "b", "c")), ({"method": "none"}, ("a", "b", "c")), ({}, ("a",))],
)
def test_no_maps_by_region(settings: dict[str, object], regions: tuple[str, ...]) -> None:
    known, region = planted_known()
    found = fit_calibrators(known, region, regions, CalibrationConf.model_validate(settings))
    assert found.by_region["p_click"] == {}
    plain = isinstance(found.common["p_click"], Identity)
    assert plain == (settings.get("method") == "none")
