"""Makes `query_features`, `item_features` and `query_item_features`, as of the days that need them.

Grain: one row per run date, as-of day and key. As of the run date: the candidates' queries, items
(in the regions where they are candidates) and pairs, and the random pairs that conf
`features.random_pairs` asks for. As of each of the `features.training_days`
days before: the keys that were shown on that day. Inputs: items, queries, impressions,
candidates, texts, text_statistics, text_pairs. Idempotent by run date: the rows of the run date
are replaced.
Run: counterpoise build_features --conf FILE --run-date 2026-03-01
"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEM_FEATURES,
    ITEMS,
    OWN_VALUES,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TEXT_PAIRS,
    TEXT_STATISTICS,
    TEXTS,
    Table,
)
from features.declarations import declare_own_features
from features.item import item_features
from features.log.examination import with_examination
from features.log.history import (
    ENGAGEMENT,
    daily_counts,
    effective_events,
    prior_rates,
    visible_log,
)
from features.own.as_of import find_own_values
from features.own.declared import VALUES
from features.pair import pair_features
from features.query import daily_pages, query_features
from features.regional import with_price_ratio
from features.spine import ITEM_KEYS, PAIR_KEYS, QUERY_KEYS, draw_random_pairs, feature_spine
from features.text.blocks import check_read
from features.text.texts import list_query_texts
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.reports.own_features import report_coverage, write_feature_page
from jobs.text.versions import comparer_version, read_readings, require_statistics

PRIOR_WINDOW = LOOK_BACK_DAYS
MEASURES = (*ENGAGEMENT, "examined", "price_ratio", "priced")
LEVELS = {QUERY_FEATURES: "query", ITEM_FEATURES: "item", QUERY_ITEM_FEATURES: "query_item"}
SPINES = {QUERY_FEATURES: QUERY_KEYS, ITEM_FEATURES: ITEM_KEYS, QUERY_ITEM_FEATURES: PAIR_KEYS}


@dataclass(frozen=True)
class FeatureInputs:
    """What the three tables are made of.

    Attributes:
        items, queries: rows of the raw tables.
        pages: query_id, day, pages.
        readings: text_hash and what was read off each text.
        compared: query_hash, item_hash and how well the two texts fit.
        spine: query_id, item_id, region, day.
        daily: query_id, item_id, region, day and the MEASURES (long).
        priors: the rates that smoothing pulls towards.
        own: rows of own_values; None: conf names no features of a team's own.
    """

    items: DataFrame
    queries: DataFrame
    pages: DataFrame
    readings: DataFrame
    compared: DataFrame
    spine: DataFrame
    daily: DataFrame
    priors: DataFrame
    run_date: date
    own: DataFrame | None = None

    def list_shared(self) -> tuple[DataFrame, ...]:
        """List the frames that several tables are made of."""
        return self.spine, self.daily, self.priors


@dataclass(frozen=True)
class SourceTables:
    """Rows of the tables read; `log` is what was visible at the run date."""

    items: DataFrame
    queries: DataFrame
    log: DataFrame
    readings: DataFrame
    compared: DataFrame
    candidates: DataFrame
    run_date: date
    own: DataFrame | None = None


def read_tables(warehouse: Warehouse, conf: ResolvedConf) -> SourceTables:
    """Read the run's rows, and the readings and comparisons by the versions in use."""
    version = comparer_version(conf.tree, require_statistics(warehouse))
    compared = warehouse.read(TEXT_PAIRS).where(F.col("comparer_version") == version)
    return SourceTables(
        items=warehouse.read(ITEMS),
        queries=warehouse.read(QUERIES),
        log=visible_log(warehouse.read(IMPRESSIONS), conf.run_date),
        readings=read_readings(warehouse).drop("run_date"),
        compared=compared.drop("run_date"),
        candidates=warehouse.read_run(CANDIDATES),
        run_date=conf.run_date,
        own=warehouse.read(OWN_VALUES) if conf.tree.features.own else None,
    )


def prepare_inputs(tables: SourceTables, asked: DataFrame, conf: Conf) -> FeatureInputs:
    """Prepare what the feature tables share, for a spine; it is kept in memory."""
    spine = asked.persist()
    daily = daily_log(tables.log, tables.items, conf).persist()
    priors = prior_rates(daily, spine.select("day").distinct(), PRIOR_WINDOW, conf)
    return FeatureInputs(
        items=tables.items,
        queries=tables.queries,
        pages=daily_pages(tables.log),
        readings=tables.readings,
        compared=tables.compared,
        spine=spine,
        daily=daily,
        priors=priors.persist(),
        run_date=tables.run_date,
        own=tables.own,
    )


def daily_log(log: DataFrame, items: DataFrame, conf: Conf) -> DataFrame:
    """Return query_id, item_id, region, day and the MEASURES of the log."""
    return (
        effective_events(log)
        .transform(with_price_ratio, items)
        .transform(with_examination, conf)
        .transform(daily_counts, ["query_id", "item_id", "region"], MEASURES)
    )


def build(inputs: FeatureInputs, conf: Conf) -> dict[Table, DataFrame]:
    """Build the three feature tables of the run date."""
    i, day = inputs, inputs.run_date
    built = {
        QUERY_FEATURES: query_features(
            i.spine, i.queries, i.readings, i.daily, i.pages, i.items, i.priors, day, conf
        ),
        ITEM_FEATURES: item_features(i.spine, i.items, i.daily, i.priors, day, conf),
        QUERY_ITEM_FEATURES: pair_features(
            i.spine, i.queries, i.items, i.compared, i.daily, i.priors, day, conf
        ),
    }
    return {
        table: table.conform(_with_own(frame, LEVELS[table], inputs, conf))
        for table, frame in built.items()
    }


def _with_own(frame: DataFrame, level: str, inputs: FeatureInputs, conf: Conf) -> DataFrame:
    """Add the column `own` to the rows of a feature table."""
    own = None
    if inputs.own is not None:
        own = find_own_values(level, inputs.spine, inputs.queries, inputs.own, conf)
    if own is None:
        return frame.withColumn("own", F.lit(None).cast(VALUES))
    keys = [name for name in own.columns if name not in ("day", "own")]
    return frame.join(own.withColumnRenamed("day", "as_of_date"), ["as_of_date", *keys], "left")


def run(run: Run) -> None:
    """Read, build, write; rows in are the distinct keys of each table's spine."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    tables = read_tables(warehouse, conf)
    check_read(list_query_texts(tables.queries), tables.readings)
    drawn = draw_random_pairs(tables.queries, tables.items, tables.candidates, conf.tree)
    spine = feature_spine(tables.log, tables.candidates, conf.run_date, conf.tree, drawn)
    inputs = prepare_inputs(tables, spine, conf.tree)
    for table, features in build(inputs, conf.tree).items():
        keys = inputs.spine.select(*SPINES[table]).distinct().count()
        written = warehouse.replace_run(table, features)
        report.count_rows(table.name, rows_in=keys, rows_out=written.rows)
        if inputs.own is not None and not conf.dry_run:
            own = [f for f in declare_own_features(conf.tree) if f.table == LEVELS[table]]
            report_coverage(report, table, warehouse.read_run(table), own)
    for frame in inputs.list_shared():
        frame.unpersist()
    if inputs.own is not None and not conf.dry_run:
        write_feature_page(warehouse)


JOB = Job(
    run,
    summary="features of queries, items and pairs, as of the days that need them",
    reads=(ITEMS, QUERIES, IMPRESSIONS, CANDIDATES, TEXTS, TEXT_STATISTICS, TEXT_PAIRS, OWN_VALUES),
    may_lack=(OWN_VALUES,),
    writes=(QUERY_FEATURES, ITEM_FEATURES, QUERY_ITEM_FEATURES),
    sections=("encoder", "features", "language"),
)
