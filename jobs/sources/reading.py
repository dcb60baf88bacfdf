"""Reading the conf's source once: its raw frames, complete and kept for more than one use."""

from contextlib import ExitStack
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.quality.tables import required_columns
from jobs.platform.plans import cut_plan, keep_frame
from jobs.sources.base import RawFrames, load_adapter, require_columns
from jobs.sources.window import within_history


def read_once(spark: SparkSession, conf: ResolvedConf, stack: ExitStack) -> RawFrames:
    """Read the raw frames of the conf's source, impressions of `ingest.history_days` only.

    The frames of a closed source have long plans, which every later step would repeat: the plans
    are cut. If a worker is lost, cut rows cannot be made again, and the job must be run again. The
    frames of an open source are cached, and read again where a worker is lost.

    Raises:
        SourceError: a file or a required column is missing.
    """
    kind = conf.source.kind
    raw = load_adapter(kind).read(spark, conf)
    for table, df in raw.by_table().items():
        require_columns(df, required_columns(table), f"source {kind}, {table.name}")

    def hold(df: DataFrame) -> DataFrame:
        return cut_plan(df) if raw.closed else keep_frame(df, stack)

    return replace(
        raw,
        items=hold(raw.items),
        queries=hold(raw.queries),
        impressions=hold(within_history(raw.impressions, conf)),
        judgments=hold(raw.judgments),
    )
