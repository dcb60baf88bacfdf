"""Reading the conf's source once: its raw frames, complete and kept for more than one use."""

from contextlib import ExitStack
from dataclasses import replace

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.quality.tables import required_columns
from jobs.sources.base import RawFrames, load_adapter, require_columns
from jobs.sources.window import within_history


def read_once(spark: SparkSession, conf: ResolvedConf, kept: ExitStack) -> RawFrames:
    """The raw frames of the conf's source, impressions of `ingest.history_days` only.

    What a closed source draws has a long plan, which every step after would carry: it is cut. Its
    rows cannot be made again should a worker be lost; the job is then run again. The frames of an
    open source are cached, and read again where a worker is lost.

    Raises:
        SourceError: a file or a required column is missing.
    """
    kind = conf.tree.source.kind
    raw = load_adapter(kind).read(spark, conf)
    for table, df in raw.by_table().items():
        require_columns(df, required_columns(table), f"source {kind}, {table.name}")
    once = _cut if raw.closed else keep
    return replace(
        raw,
        items=once(raw.items, kept),
        queries=once(raw.queries, kept),
        impressions=once(within_history(raw.impressions, conf), kept),
        judgments=once(raw.judgments, kept),
    )


def keep(df: DataFrame, kept: ExitStack) -> DataFrame:
    """Keep a frame that is read more than once on local disk, until `kept` closes.

    On disk, because the log may be many times the memory; it is read in whole columns anyway.
    """
    kept.callback(df.unpersist)
    return df.persist(StorageLevel.DISK_ONLY)


def _cut(df: DataFrame, kept: ExitStack) -> DataFrame:
    return df.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
