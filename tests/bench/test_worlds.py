"""The table of worlds: gaps turned round, the best set-up of a world, limits."""

from io import StringIO

import pytest
from rich.console import Console

from bench.worlds import (
    BEST,
    BEST_JOINT,
    EVEN,
    JUDGED,
    TRUE,
    WIDTH,
    Gap,
    add_best,
    average_worlds,
    build_results,
    build_table,
    list_below,
    read_gaps,
)


def row(data: str, arm: str, difference: float, low: float, high: float) -> dict[str, object]:
    return {
        "data": data,
        "arm": arm,
        "metric": TRUE,
        "region": "all",
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
    }


def test_a_gap_is_ours_less_theirs() -> None:
    found = read_gaps([row("a", "lightgbm", -0.02, -0.03, -0.01)])
    assert found == {("a", "lightgbm", TRUE): Gap(0.02, 0.01, 0.03)}
    assert str(found["a", "lightgbm", TRUE]) == "+0.0200*"


def test_a_figure_that_is_a_difference_already_is_only_turned_round() -> None:
    given = row("a", "lightgbm_joint", 9.0, 9.0, 9.0) | {"metric": EVEN}
    given |= {"value": -0.02, "low": -0.03, "high": -0.01, "difference": None}
    assert read_gaps([given]) == {("a", "lightgbm_joint", EVEN): Gap(0.02, 0.01, 0.03)}


def test_relevance_is_held_at_equal_engagement_and_as_picked() -> None:
    gaps = {("a", BEST_JOINT, EVEN): Gap(0.02, 0.01, 0.03)}
    gaps[("a", BEST_JOINT, JUDGED)] = Gap(-0.02, -0.03, -0.01)
    held = {r.what: r.holds for r in build_results(gaps, ["a"]) if r.what.startswith("worlds")}
    even, picked = (
        next(holds for what, holds in held.items() if f"where relevance {how}" in what)
        for how in ("at equal engagement", "as picked")
    )
    assert even and not picked


def test_the_best_is_the_hardest_of_the_set_ups() -> None:
    gaps = read_gaps(
        [row("a", "lightgbm", 0.05, 0.04, 0.06), row("a", "lightgbm_position", -0.01, -0.02, 0.01)]
    )
    assert add_best(gaps, ["a"])["a", BEST, TRUE] == gaps["a", "lightgbm", TRUE]


def test_what_was_not_measured_does_not_hold() -> None:
    assert not any(result.holds for result in build_results({}, ["a"]))


def test_limits_name_the_worlds_that_are_lost() -> None:
    gaps = {("a", BEST, TRUE): Gap(0.02, 0.01, 0.03), ("b", BEST, TRUE): Gap(-0.01, -0.02, -0.005)}
    assert list_below(gaps, ["a", "b"], BEST, TRUE) == ["b"]
    assert average_worlds(gaps, ["a", "b"], BEST, TRUE).value == pytest.approx(0.005)
    lost = next(
        r for r in build_results(gaps, ["a", "b"]) if r.what.startswith("worlds where true")
    )
    assert not lost.holds and lost.measured == "1 of 2 b"
    ahead = next(r for r in build_results(gaps, ["a", "b"]) if r.what.startswith("mean true"))
    assert not ahead.holds  # .005 in the mean, and an interval that holds 0


def test_the_table_has_every_world_and_the_worst() -> None:
    gaps = {("a", BEST, TRUE): Gap(0.02, 0.01, 0.03), ("b", BEST, TRUE): Gap(-0.01, -0.02, 0.005)}
    console = Console(width=WIDTH, record=True, file=StringIO())
    console.print(build_table(gaps, ["a", "b"]))
    block = console.export_text().split("engagement, true, all items")[0]
    cells = [line.split() for line in block.splitlines() if line.strip()]
    by_name = {name: rest for name, *rest in cells}
    assert (by_name["a"][-1], by_name["b"][-1]) == ("+0.0200*", "-0.0100")
    assert by_name["mean"][-3] == "+0.0050" and by_name["worst"][-1] == "-0.0100"
