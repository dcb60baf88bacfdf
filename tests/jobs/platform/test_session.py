"""What every session of a job is set to."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.load import SIMULATED, load_conf
from jobs.platform import session


def _loaded(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for _ in frames:
        yield pd.DataFrame({"loaded": ["torch" in sys.modules]})


def test_python_workers_start_with_torch(spark: SparkSession) -> None:
    assert spark.range(1).mapInPandas(_loaded, "loaded boolean").first() == (True,)


def test_a_zip_has_no_daemon_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon, conf = "spark.python.daemon.module", load_conf([SIMULATED]).tree
    assert session._collect_settings(conf)[daemon] == "udfs.daemon"
    # Of spark-submit's --py-files the daemon is told nothing, only the workers are.
    monkeypatch.setattr(session, "_LOG_SETTINGS", Path("our.zip/conf/log4j2.properties"))
    assert daemon not in session._collect_settings(conf)


def test_columns_are_made_without_a_note_of_their_python_line(spark: SparkSession) -> None:
    # PySpark's default costs ten calls into the JVM a column.
    assert spark.conf.get("spark.python.sql.dataFrameDebugging.enabled") == "false"


def test_no_plan_becomes_a_method_that_hotspot_would_interpret(spark: SparkSession) -> None:
    # HotSpot's own limit, in bytes of bytecode (DontCompileHugeMethods); Spark's default is 65535.
    assert spark.conf.get("spark.sql.codegen.hugeMethodLimit") == "8000"


def test_a_plan_is_written_out_in_its_short_form(spark: SparkSession) -> None:
    # Spark's default for its UI, `formatted`, takes about eight times as long a plan.
    assert spark.conf.get("spark.sql.ui.explainMode") == "simple"


def test_what_spark_spills_stays_in_a_private_folder_below_the_root(spark: SparkSession) -> None:
    folder = Path(spark.conf.get("spark.local.dir"))
    assert folder.parent.name == ".spark"
    assert folder.stat().st_mode & 0o777 == 0o700
    spark.range(3).localCheckpoint()
    assert list(folder.glob("blockmgr-*"))
    assert spark.conf.get("spark.sql.warehouse.dir") == f"file:{folder}/warehouse"
    temporary = spark.sql("select java_method('java.lang.System', 'getProperty', 'java.io.tmpdir')")
    assert temporary.first() == (str(folder),)


@pytest.mark.parametrize("name", session._JAVA_ENVIRONMENT)
def test_the_jvm_collects_in_parallel_unless_the_environment_names_a_collector(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in session._JAVA_ENVIRONMENT:
        monkeypatch.delenv(other, raising=False)
    chosen, conf = "-XX:+UseParallelGC", load_conf([SIMULATED]).tree
    settings = session._of_scratch(conf, {}, Path("scratch"))
    assert chosen in settings["spark.driver.extraJavaOptions"].split()
    monkeypatch.setenv(name, "-XX:MaxGCPauseMillis=50")
    assert session._choose_collector() == chosen
    monkeypatch.setenv(name, "-Xss4m -XX:+UseZGC")  # the JVM refuses two
    settings = session._of_scratch(conf, {}, Path("scratch"))
    assert chosen not in settings["spark.driver.extraJavaOptions"]
