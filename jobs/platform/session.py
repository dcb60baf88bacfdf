"""Opens a job's Spark session. Run as a module it fetches Delta's JARs into the local cache."""

import os
import re
import sys
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

from pyspark.sql import SparkSession

from conf.load import load_conf
from conf.schema import Conf
from jobs.platform.scratch import open_scratch, temporary_files_in

_DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
_LOCAL_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.databricks.delta.snapshotPartitions": "2",
    # Spark writes every plan out for its UI, anew after each stage: this form takes an eighth.
    "spark.sql.ui.explainMode": "simple",
}
_SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # HotSpot never compiles a method of more bytes: the rows of a wide plan would be interpreted.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Spark keeps one Python daemon per environment, and this setting is part of it for UDFs alone:
    # with it every session starts two, each of which loads torch.
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "false",
    # Noting the Python line of every column costs ten times what making the column does.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}
_JAVA = "spark.driver.extraJavaOptions"
_JAVA_ENVIRONMENT = ("SPARK_SUBMIT_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
"""Variables from which the JVM of a local session takes options."""
_LOG_SETTINGS = Path(__file__).parents[2] / "conf" / "log4j2.properties"


def jar_cache() -> Path:
    """Return the Ivy folder of fetched JARs: COUNTERPOISE_IVY, else the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "counterpoise/ivy"
    return Path(os.environ.get("COUNTERPOISE_IVY", default)).absolute()


def cached_jars() -> list[str]:
    """List Delta's JARs in the cache; empty where the installed version was not fetched yet."""
    jars = jar_cache() / "jars"
    if not list(jars.glob(f"io.delta_delta-spark*-{version('delta-spark')}.jar")):
        return []
    return sorted(str(path) for path in jars.glob("*.jar"))


def get_session(conf: Conf) -> SparkSession:
    """Return the active session (spark-submit, notebook), else a new one as conf describes it."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(f"counterpoise-{conf.name}")
    settings = _collect_settings(conf)
    scratch = None
    if _is_local(conf) and SparkSession.getActiveSession() is None:
        scratch = open_scratch(Path(conf.storage.root).absolute())
        settings |= _of_scratch(conf, settings, scratch)
    for key, value in (settings | conf.spark.options).items():
        builder = builder.config(key, value)
    if conf.spark.delta_jars == "ivy" and not cached_jars():
        from delta import configure_spark_with_delta_pip  # a cluster's own delta may lack it

        builder = configure_spark_with_delta_pip(builder)
    with temporary_files_in(scratch) if scratch else nullcontext():
        session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


def _collect_settings(conf: Conf) -> dict[str, str]:
    settings = {
        **_SESSION_SETTINGS,
        "spark.sql.shuffle.partitions": str(conf.spark.shuffle_partitions),
    }
    if conf.spark.master is not None:
        settings |= {
            "spark.master": conf.spark.master,
            "spark.driver.memory": conf.spark.driver_memory,
        }
    if _is_local(conf):
        settings |= _LOCAL_SETTINGS | _of_our_files()
    if conf.spark.delta_jars == "ivy":
        settings |= {**_DELTA_SETTINGS, "spark.jars.ivy": str(jar_cache())}
        jars = cached_jars()
        if jars:
            settings["spark.jars"] = ",".join(jars)
    return settings


def _is_local(conf: Conf) -> bool:
    return conf.spark.master is not None and conf.spark.master.startswith("local")


def _of_scratch(conf: Conf, settings: dict[str, str], scratch: Path) -> dict[str, str]:
    """Put blocks, spills and temporary files in one private place; the catalog's own folder, too,
    unless it holds our tables. The JVM that is started gets its collector.
    """
    root = Path(conf.storage.root).absolute()
    quoted = str(scratch).replace("\\", "\\\\")
    options = [settings.get(_JAVA, ""), _choose_collector(), f'"-Djava.io.tmpdir={quoted}"']
    catalog = root / "tables" if conf.storage.database else scratch / "warehouse"
    return {
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(catalog),
        _JAVA: " ".join(option for option in options if option),
    }


def _of_our_files() -> dict[str, str]:
    """Return what the JVM and Spark's daemon find in our folders, and in a zipped wheel do not.

    Logs of errors only (a night's log should show the jobs' own lines), and the daemon with torch.
    """
    if not _LOG_SETTINGS.is_file():
        return {}
    option = f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}"
    return {_JAVA: option, "spark.python.daemon.module": "udfs.daemon"}


def _choose_collector() -> str:
    """Choose the collector that takes least CPU, where the environment names none: the JVM refuses
    two. Nobody waits for an answer while a batch job collects garbage."""
    given = " ".join(os.environ.get(name, "") for name in _JAVA_ENVIRONMENT)
    return "" if re.search(r"\+Use\w+GC\b", given) else "-XX:+UseParallelGC"


if __name__ == "__main__":
    get_session(load_conf().tree).stop()
