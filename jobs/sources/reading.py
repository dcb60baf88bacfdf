"""Reading the conf's source: its raw frames, complete."""

from dataclasses import replace

from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.quality.tables import required_columns
from jobs.sources.base import RawFrames, load_adapter, require_columns
from jobs.sources.window import within_history


def read_raw(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Read the raw frames of the source, impressions of `ingest.history_days` only; all are lazy.

    Raises:
        SourceError: a file or a required column is missing.
    """
    kind = conf.source.kind
    raw = load_adapter(kind).read(spark, conf)
    for table, df in raw.by_table().items():
        require_columns(df, required_columns(table), f"source {kind}, {table.name}")
    return replace(raw, impressions=within_history(raw.impressions, conf))
