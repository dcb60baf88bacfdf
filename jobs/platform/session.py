"""The Spark session of a job."""

import os
import sys
from pathlib import Path

from delta import configure_spark_with_delta_pip
from pyspark.sql import SparkSession

from conf.schema import Conf

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
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
}
_SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


def ivy_cache() -> Path:
    """Folder of fetched JARs: COUNTERPOISE_IVY, else .cache/ivy of the working directory."""
    return Path(os.environ.get("COUNTERPOISE_IVY", ".cache/ivy")).absolute()


def get_session(conf: Conf) -> SparkSession:
    """The active session (spark-submit, notebook), else a new one as conf describes it."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(f"counterpoise-{conf.name}")
    settings = {
        **_SESSION_SETTINGS,
        "spark.sql.shuffle.partitions": str(conf.spark.shuffle_partitions),
    }
    if conf.spark.master is not None:
        builder = builder.master(conf.spark.master)
        settings |= {"spark.driver.memory": conf.spark.driver_memory}
        if conf.spark.master.startswith("local"):
            settings |= _LOCAL_SETTINGS
    if conf.spark.delta_jars == "ivy":
        settings |= {**_DELTA_SETTINGS, "spark.jars.ivy": str(ivy_cache())}
    for key, value in (settings | conf.spark.options).items():
        builder = builder.config(key, value)
    if conf.spark.delta_jars == "ivy":
        builder = configure_spark_with_delta_pip(builder)
    session = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session
