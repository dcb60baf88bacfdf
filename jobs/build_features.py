"""Makes `query_features`, `item_features` and `query_item_features`, as of the days that need them.

Grain: one row per run date, as-of day and key. As of the run date: the candidates' queries, items
(in the regions where they are candidates) and pairs. As of each of the `features.training_days`
days before: the keys that were shown on that day. Inputs: items, queries, impressions,
candidates, text_embeddings. Idempotent by run date: the rows of the run date are replaced.
Run: counterpoise build_features --conf FILE --run-date 2026-03-01
"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import FloatType, StructField, StructType

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
    TEXT_EMBEDDINGS,
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
from features.pair import item_tokens, pair_features, query_texts, text_features
from features.query import daily_pages, query_features
from features.regional import with_price_ratio
from features.spine import ITEM_KEYS, PAIR_KEYS, QUERY_KEYS, feature_spine
from features.text.cosine import assign_block, blocked_vectors, check_embedded
from features.text.normal_form import text_key
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.reports.own_features import report_coverage, write_feature_page
from model.text.encoder import find_encoder
from udfs.cosine import add_cosines

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
        embeddings: text_hash, embedding of the encoder in use.
        words: item_id, tokens.
        spine: query_id, item_id, region, day.
        pairs: text, item_id; the distinct ones of the spine.
        daily: query_id, item_id, region, day and the MEASURES (long).
        priors: the rates that smoothing pulls towards.
        own: rows of own_values; None: conf names no features of a team's own.
    """

    items: DataFrame
    queries: DataFrame
    pages: DataFrame
    embeddings: DataFrame
    words: DataFrame
    spine: DataFrame
    pairs: DataFrame
    daily: DataFrame
    priors: DataFrame
    run_date: date
    own: DataFrame | None = None

    def list_shared(self) -> tuple[DataFrame, ...]:
        """List the frames that several tables are made of."""
        return self.words, self.spine, self.pairs, self.daily, self.priors


@dataclass(frozen=True)
class SourceTables:
    """Rows of the tables read; `log` is what was visible at the run date."""

    items: DataFrame
    queries: DataFrame
    log: DataFrame
    embeddings: DataFrame
    candidates: DataFrame
    run_date: date
    own: DataFrame | None = None


def read_tables(warehouse: Warehouse, conf: ResolvedConf) -> SourceTables:
    """Read the run's rows, and the embeddings of the encoder in use."""
    version = find_encoder(conf.tree.encoder).version
    embeddings = warehouse.read(TEXT_EMBEDDINGS).where(F.col("encoder_version") == version)
    return SourceTables(
        items=warehouse.read(ITEMS),
        queries=warehouse.read(QUERIES),
        log=visible_log(warehouse.read(IMPRESSIONS), conf.run_date),
        embeddings=embeddings.select("text_hash", "embedding"),
        candidates=warehouse.read_run(CANDIDATES),
        run_date=conf.run_date,
        own=warehouse.read(OWN_VALUES) if conf.tree.features.own else None,
    )


def prepare_inputs(tables: SourceTables, asked: DataFrame, conf: Conf) -> FeatureInputs:
    """Prepare what the feature tables share, for a spine; it is kept in memory."""
    query_keys = tables.queries.select("query_id", text_key(F.col("query_text")).alias("text"))
    spine = asked.persist()
    daily = daily_log(tables.log, tables.items, conf).persist()
    pairs = spine.join(query_keys, on="query_id", how="inner").select("text", "item_id").distinct()
    priors = prior_rates(daily, spine.select("day").distinct(), PRIOR_WINDOW, conf)
    return FeatureInputs(
        items=tables.items,
        queries=tables.queries,
        pages=daily_pages(tables.log),
        embeddings=tables.embeddings,
        words=item_tokens(tables.items).persist(),
        spine=spine,
        pairs=pairs.persist(),
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
    texts = pair_texts(inputs, conf)
    built = {
        QUERY_FEATURES: query_features(
            i.spine, i.queries, i.daily, i.pages, i.items, i.priors, day, conf
        ),
        ITEM_FEATURES: item_features(i.spine, i.items, i.daily, i.priors, day, conf),
        QUERY_ITEM_FEATURES: pair_features(i.spine, i.queries, texts, i.daily, i.priors, day, conf),
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


def pair_texts(inputs: FeatureInputs, conf: Conf) -> DataFrame:
    """Return text, item_id and all text features of the distinct pairs, the cosine among them."""
    blocks = conf.features.cosine_blocks
    texts = query_texts(inputs.queries)
    fit = text_features(inputs.pairs, texts, inputs.items, inputs.words, conf)
    vectors = blocked_vectors(inputs.pairs, texts, inputs.items, inputs.embeddings, blocks)
    schema = StructType([*fit.schema.fields, StructField("pair_cosine", FloatType())])
    return (
        assign_block(fit, blocks)
        .groupBy("block")
        .cogroup(vectors.groupBy("block"))
        .applyInPandas(add_cosines, schema=schema)
    )


def run(run: Run) -> None:
    """Read, build, write; rows in are the distinct keys of each table's spine."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    tables = read_tables(warehouse, conf)
    check_embedded(query_texts(tables.queries), tables.items, tables.embeddings)
    spine = feature_spine(tables.log, tables.candidates, conf.run_date, conf.tree)
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
    reads=(ITEMS, QUERIES, IMPRESSIONS, CANDIDATES, TEXT_EMBEDDINGS, OWN_VALUES),
    may_lack=(OWN_VALUES,),
    writes=(QUERY_FEATURES, ITEM_FEATURES, QUERY_ITEM_FEATURES),
    sections=("encoder", "features"),
)
