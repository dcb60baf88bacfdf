"""Decisions are inserted, never changed, and each is made on the newest state."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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
OTHER = Path(__file__).with_name("insert_decisions.py")
REPOSITORY = Path(__file__).parents[3]
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


def insert_named(warehouse: Warehouse, who: str) -> None:
    for n in range(3):
        assert insert_decision(warehouse, DECISIONS, make_decision(f"{who}{n}"))


def test_decisions_of_two_processes_at_once_all_stand(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """The other process begins when we do, and every table it meets is one that we just wrote."""
    conf = make_conf()
    warehouse, _ = open_warehouse(spark, conf, "test")
    with subprocess.Popen(
        [sys.executable, str(OTHER), conf.tree.storage.root],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        insert_named(warehouse, "a")
        assert other.wait(timeout=120) == 0
    assert [number for number, _ in rows(warehouse)] == [1, 2, 3, 4, 5, 6]
    assert sorted(text for _, text in rows(warehouse)) == ["a0", "a1", "a2", "b0", "b1", "b2"]
