"""Tells how much of a team's own features a run knows, and lists them beside ours."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import Table
from features.declarations import declare_features
from features.docs import feature_table
from features.spec import Feature
from jobs.platform.report import JobReport
from jobs.platform.warehouse import Warehouse
from model.files import write_text


def report_coverage(
    report: JobReport, table: Table, rows: DataFrame, own: Sequence[Feature]
) -> None:
    """Put into the report what share of the run date's rows knows each own feature; warn at none.

    A wrong key or day leaves every row with the default, which nothing else would show.
    """
    if not own:
        return
    shares = [F.avg(F.col("own")[f.name].isNotNull().cast("int")).alias(f.name) for f in own]
    today = rows.where(F.col("as_of_date") == F.col("run_date")).agg(*shares).collect()[0]
    report.details.setdefault("own_features", {}).update(
        {f.name: today[f.name] or 0.0 for f in own}
    )
    report.warnings += [
        f"own feature {f.name}: no row of {table.name} has a value on the run date; compare its "
        f"key and its as_of in conf features.own with our ids and days"
        for f in own
        if not today[f.name]
    ]


def write_feature_page(warehouse: Warehouse) -> None:
    """Write `features.md` beside the run's reports: every feature, a team's own among them."""
    page = feature_table(declare_features(warehouse.conf.tree))
    write_text(warehouse.report_dir() / "features.md", page)
