"""Decisions are inserted, never changed, and each is made on the newest state."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.contracts import Table
from features.contracts.table import declare_required
from jobs.delta.commits import RivalRunError
from jobs.platform.decisions import insert_decision
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

DECISIONS = Table(
    name="decisions",
    grain="one row per decision",
    columns=declare_required([("decision_no", "bigint", "number"), ("decision", "string", "what")]),
    key=("decision_no",),
)
MakeConf = Callable[..., ResolvedConf]


def make_decision(text: str) -> Callable[[int], dict[str, Any]]:
    return lambda number: {"decision_no": number, "decision": text}


def rows(warehouse: Warehouse) -> list[tuple[int, str]]:
    return sorted((r.decision_no, r.decision) for r in warehouse.read(DECISIONS).collect())


def test_a_decision_that_came_first_stays_and_the_other_is_made_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "slow")
    rival, _ = open_warehouse(spark, make_conf(), "quick")
    numbers: list[int] = []

    def make(number: int) -> dict[str, Any]:
        numbers.append(number)
        if number == 1:
            insert_decision(rival, DECISIONS, make_decision("revoked"))
        return make_decision("admitted")(number)

    insert_decision(warehouse, DECISIONS, make)
    assert numbers == [1, 2]
    assert rows(warehouse) == [(1, "revoked"), (2, "admitted")]
    assert insert_decision(warehouse, DECISIONS, lambda number: None) is None
    assert len(rows(warehouse)) == 2


def test_whoever_is_always_beaten_gives_up(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "slow")
    rival, _ = open_warehouse(spark, make_conf(), "quick")

    def make(number: int) -> dict[str, Any]:
        insert_decision(rival, DECISIONS, make_decision("revoked"))
        return make_decision("admitted")(number)

    with pytest.raises(RivalRunError, match="decisions: other decisions came first 5 times"):
        insert_decision(warehouse, DECISIONS, make)
    assert [decision for _, decision in rows(warehouse)] == ["revoked"] * 5


def test_decisions_of_two_at_once_all_stand(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.create(DECISIONS)
    names = [f"{who}{n}" for who in "ab" for n in range(2)]

    def both(who: str) -> None:
        mine, _ = open_warehouse(spark, make_conf(), who)
        for name in names:
            if name.startswith(who):
                insert_decision(mine, DECISIONS, make_decision(name))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(both, "ab"))
    assert sorted(text for _, text in rows(warehouse)) == names
    assert [number for number, _ in rows(warehouse)] == [1, 2, 3, 4]
