"""What every session of a job is set to."""

import sys
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import SparkSession


def _loaded(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for _ in frames:
        yield pd.DataFrame({"loaded": ["torch" in sys.modules]})


def test_python_workers_start_with_torch(spark: SparkSession) -> None:
    assert spark.range(1).mapInPandas(_loaded, "loaded boolean").first() == (True,)


def test_columns_are_made_without_a_note_of_their_python_line(spark: SparkSession) -> None:
    # PySpark's default costs ten calls into the JVM a column.
    assert spark.conf.get("spark.python.sql.dataFrameDebugging.enabled") == "false"


def test_no_plan_becomes_a_method_that_hotspot_would_interpret(spark: SparkSession) -> None:
    # HotSpot's own limit, in bytes of bytecode (DontCompileHugeMethods); Spark's default is 65535.
    assert spark.conf.get("spark.sql.codegen.hugeMethodLimit") == "8000"
