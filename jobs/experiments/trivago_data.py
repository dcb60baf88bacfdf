"""Reads the hotel-search log of the RecSys Challenge 2019 into the snapshot of experiment S1.

One row per clickout and position of its list; users do not cross splits. Quarantined actions go to
the table `quarantine`; the manifest counts actions, lists and rows.

The log is one Parquet file, `trivago_actions.parquet`: every action of a session (user_id,
session_id, timestamp, step, action_type, reference, platform, city, device, current_filters), and
for each `clickout item` the list shown and its prices (impressions, prices). Its hotels have no
texts, and its funnel (engaged, clicked out) is not that of a shop: it has no carts and no
purchases, and a click is its last step. So it does not fit the raw tables, and there is no adapter
for `ingest`.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.datasets import TrivagoSource
from features.contracts import QUARANTINE
from features.examples.experiment_rows import with_codes
from features.quality.verdicts import build_quarantine, by_rule, select_accepted
from features.spec import spec_json
from features.split import assign_bucket, with_split
from features.trivago.actions import ACTIONS, checked_actions
from features.trivago.declarations import declare_features
from features.trivago.features import OTHER, largest_sites, with_features, with_history
from features.trivago.rows import TASKS, engagements_of, impression_rows, pages_of
from jobs.experiments.snapshot import Contents, name_snapshot_folder, write_experiment_snapshot
from jobs.platform.plans import keep_frame
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse
from jobs.sources.base import (
    files_fingerprint,
    require_columns,
    require_file,
    require_section,
)
from jobs.sources.files import load_frame

DATASET = "trivago"
FILE = "trivago_actions.parquet"
_CODES = {
    "list_code": "page_id",
    "item_code": "item_id",
    "unit_code": "user_id",
}


def make_trivago_snapshot(spark: SparkSession, conf: ResolvedConf) -> Path:
    """Make the snapshot (train, validation, test) of the log that conf `source` names; returns its
    folder.

    Made once for a conf and a file; tasks engaged, clickout; no relevance.

    Raises:
        SourceError: the file or a column is missing.
        SnapshotError: no training row.
    """
    warehouse, _ = open_warehouse(spark, conf, "experiment")
    source = require_section(conf, TrivagoSource)
    folder = name_snapshot_folder(warehouse, ("source",), files_fingerprint([_locate_file(conf)]))
    if folder.exists() or conf.dry_run:
        return folder
    with ExitStack() as stack:
        actions = keep_frame(read_actions(spark, conf), stack)
        counts = _write_quarantine(warehouse, actions)
        engagements = keep_frame(engagements_of(select_accepted(actions)), stack)
        rows = keep_frame(_build_rows(select_accepted(actions), engagements, conf), stack)
        regions = [r["site"] for r in largest_sites(rows, source.largest_sites).collect()] + [OTHER]
        contents = Contents(
            rows=keep_frame(_build_snapshot_rows(rows, engagements, regions, conf), stack),
            features=spec_json(declare_features(len(regions), source.logged_rank)),
            tasks=TASKS,
            regions=regions,
            relevance=False,
            notes=counts,
        )
        return write_experiment_snapshot(warehouse, contents, folder)


def read_actions(spark: SparkSession, conf: ResolvedConf) -> DataFrame:
    """Read the checked actions: typed columns and the verdict on each row of the file.

    Raises:
        SourceError: the file or a column is missing.
    """
    raw = load_frame(spark, "parquet", str(_locate_file(conf))).transform(
        require_columns, ACTIONS.column_names, FILE
    )
    return checked_actions(raw.select(*ACTIONS.column_names), conf.tree, conf.run_date)


def _build_rows(actions: DataFrame, engagements: DataFrame, conf: ResolvedConf) -> DataFrame:
    by_user = assign_bucket(F.col("user_id"), conf.tree.split.buckets)
    pages = pages_of(actions).withColumn("bucket", by_user).transform(with_split(conf.tree.split))
    return impression_rows(
        pages, engagements, require_section(conf, TrivagoSource).engaged_by_click
    )


def _build_snapshot_rows(
    rows: DataFrame, engagements: DataFrame, regions: Sequence[str], conf: ResolvedConf
) -> DataFrame:
    prior = require_section(conf, TrivagoSource).prior_impressions
    return (
        with_history(rows, engagements)
        .transform(with_features, regions, prior)
        .transform(with_codes(_CODES, rows))
        .withColumns(
            {
                "example_id": F.concat_ws("|", "page_id", "item_id"),
                "page_code": F.col("list_code"),
                "judged": F.lit(0),
                "grade": F.lit(-1),
            }
        )
    )


def _write_quarantine(warehouse: Warehouse, actions: DataFrame) -> Mapping[str, Any]:
    """Write the quarantine; actions read and quarantined, by rule."""
    conf = warehouse.conf
    rules = by_rule(actions)
    named = actions.withColumn("dataset", F.lit(DATASET))
    rows = build_quarantine({ACTIONS: named}, conf.run_date, DATASET)
    where = f"run_date = DATE'{conf.run_date}' AND table_name = '{ACTIONS.name}'"
    written = warehouse.replace(QUARANTINE, rows, where)
    read = actions.count()
    warehouse.report.count_rows(ACTIONS.name, read, select_accepted(actions).count(), written.rows)
    return {"actions": read, "quarantined": rules}


def _locate_file(conf: ResolvedConf) -> Path:
    mend = f"set source.path or COUNTERPOISE_DATA to the folder that holds {FILE}"
    return require_file(Path(require_section(conf, TrivagoSource).path) / FILE, mend)
