"""The hotel-search log of the RecSys Challenge 2019: real sessions, real engagement.

One Parquet file, `trivago_actions.parquet`: every action of a session (user_id, session_id,
timestamp, step, action_type, reference, platform, city, device, current_filters), and for each
`clickout item` the list shown and its prices (impressions, prices). An impression is one clickout
and position. Its hotels have no texts, and its funnel (engaged, clicked out) is not that of a shop:
it has no carts and no purchases, and a click is its last step. So it does not fit the raw tables,
and `ingest` refuses it; an experiment's snapshot is made of it directly.
"""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from conf.sections.trivago import TrivagoSource
from features.trivago.actions import ACTIONS, checked_actions
from jobs.sources.base import (
    RawFrames,
    SourceError,
    files_fingerprint,
    require_columns,
    require_file,
)
from jobs.sources.files import load

DATASET = "trivago"
FILE = "trivago_actions.parquet"


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Raises SourceError: the log has no texts, carts or purchases to fill the raw tables with."""
    raise SourceError(
        "source.kind trivago has no item texts, carts or purchases, so that the nightly chain "
        "cannot run on it; `counterpoise experiment` reads it"
    )


def read_actions(spark: SparkSession, conf: ResolvedConf) -> DataFrame:
    """The checked actions: typed columns and the verdict on each row of the file.

    Raises:
        SourceError: the file or a column is missing.
    """
    raw = load(spark, "parquet", str(_file(conf))).transform(
        require_columns, ACTIONS.column_names, FILE
    )
    return checked_actions(raw.select(*ACTIONS.column_names), conf.tree, conf.run_date)


def section(conf: ResolvedConf) -> TrivagoSource:
    """The source's section. Raises SourceError where the conf names another kind."""
    source = conf.source
    if not isinstance(source, TrivagoSource):
        raise SourceError(f"source.kind is {source.kind!r}, not 'trivago'")
    return source


def fingerprint(conf: ResolvedConf) -> str:
    """Hash of the file's name, size and time."""
    return files_fingerprint([_file(conf)])


def _file(conf: ResolvedConf) -> Path:
    mend = f"set source.path or COUNTERPOISE_DATA to the folder that holds {FILE}"
    return require_file(Path(section(conf).path) / FILE, mend)
