"""What a warehouse holds, as text and rows that compare with those of another one."""

import json
from math import isclose
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import ALL_TABLES, TEXT_EMBEDDINGS, Table
from jobs.platform.runner import open_warehouse


def contents(spark: SparkSession, conf: ResolvedConf) -> dict[str, list[str]]:
    """Rows of every table as sorted text."""
    warehouse, _ = open_warehouse(spark, conf, "test")
    return {
        table.name: sorted(_lines(warehouse.read(table)))
        for table in ALL_TABLES
        if warehouse.exists(table) and table is not TEXT_EMBEDDINGS
    }


def _lines(rows: DataFrame) -> list[str]:
    lines = rows.select(F.to_json(F.struct("*")).alias("line"))
    return [row["line"] for row in lines.collect()]


def read_properties(spark: SparkSession, conf: ResolvedConf) -> dict[str, dict[str, str]]:
    """Properties of every table, by name: what its contract asks of Delta."""
    warehouse, _ = open_warehouse(spark, conf, "test")
    tables = [table for table in ALL_TABLES if warehouse.exists(table)]
    details = {t.name: warehouse.open_delta(t).detail().collect()[0] for t in tables}
    return {name: detail["properties"] for name, detail in details.items()}


def is_close(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)
    return one == other


def sort_rows(lines: list[str], table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return sorted(rows, key=lambda row: [row[name] for name in table.key])
