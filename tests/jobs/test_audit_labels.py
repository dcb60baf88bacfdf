"""audit_labels end to end: planned, two planted errors mended, run twice, rows replaced."""

from collections.abc import Callable
from datetime import date, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import IMPRESSIONS, ITEMS, LABEL_AUDIT, QUERIES, RELEVANCE_LABELS
from features.text.texts import text_key
from jobs.audit_labels import JOB
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

TYPES, COLOURS = ("hose", "lamp", "shovel"), ("red", "blue", "green")
MAKERS = ("acme", "bolt", "zed")
PLANTED = {("red hose", "i_red_lamp"): 2, ("blue lamp", "i_blue_lamp"): 0}
"""(query text, item) -> wrong grade; the true ones are 0 and 2."""
SETTINGS = (
    "regions=[us]",
    "audit.contradiction.fdr=0.01",
    "audit.contradiction.passes=1",
    "audit.reread.folds=2",
    "labeler.lexical.cosine=false",
    "labeler.lexical.rounds=30",
    "labeler.lexical.threads=1",
    "labeler.lexical.min_leaf=5",
    "audit.taxonomy.min_evidence=1",
)
TableFrame = Callable[..., DataFrame]
MakeConf = Callable[..., ResolvedConf]


def true_grade(text: str, item: str) -> int:
    _, colour, kind = item.split("_")
    words = text.split()
    return 0 if kind not in words else 2 if colour in words else 1


@pytest.fixture
def market(spark: SparkSession, make_conf: MakeConf, table_frame: TableFrame) -> Warehouse:
    """36 query texts x 9 items, every pair shown 80 times; clicks follow the true grade."""
    warehouse, _ = open_warehouse(spark, make_conf(*SETTINGS), "test")
    texts = [f"{c} {t}" for c in COLOURS for t in TYPES]
    texts += [f"{text} {maker}" for text in texts for maker in MAKERS]
    items = [f"i_{c}_{t}" for c in COLOURS for t in TYPES]
    pairs = [
        (text, item, true_grade(text, item), PLANTED.get((text, item), true_grade(text, item)))
        for text in texts
        for item in items
    ]
    queries = [{"query_id": f"q {t}", "query_text": t, "region": "us"} for t in texts]
    titles = {i: f"Acme {i.split('_')[1]} {i.split('_')[2]}" for i in items}
    rows = [
        {
            "query_id": f"q {text}",
            "item_id": item,
            "source": "human",
            "labeler_version": "shop",
            "grade": given,
            "p_ge_1": float(given >= 1),
            "p_ge_2": float(given >= 2),
        }
        for text, item, _, given in pairs
    ]
    warehouse.merge(QUERIES, table_frame(QUERIES, queries))
    catalogue = [
        {"item_id": i, "title": t, "item_type": i.split("_")[2]} for i, t in titles.items()
    ]
    warehouse.merge(ITEMS, table_frame(ITEMS, catalogue))
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, rows))
    graded = spark.createDataFrame(pairs, "text string, item_id string, true int, given int")
    log = IMPRESSIONS.complete(_log(graded))
    warehouse.replace(IMPRESSIONS, log, "event_date < DATE'2026-03-01'")
    return warehouse


def _log(graded: DataFrame) -> DataFrame:
    """Clicks at 5, 20 or 50 %, carts at 10, 30 or 60 % of the clicks, by the true grade."""
    at = F.lit(datetime(2026, 2, 20)).cast("timestamp")
    index = F.col("true")
    draw = F.pmod(F.xxhash64("text", "item_id", "n"), F.lit(1000)) / 1000
    cart = F.pmod(F.xxhash64("n", "text", "item_id"), F.lit(1000)) / 1000
    clicked = draw < F.get(F.array(*map(F.lit, (0.05, 0.2, 0.5))), index)
    carted = clicked & (cart < F.get(F.array(*map(F.lit, (0.1, 0.3, 0.6))), index))
    return graded.withColumn("n", F.explode(F.sequence(F.lit(1), F.lit(80)))).select(
        F.concat_ws("/", "text", "item_id", "n").alias("search_id"),
        F.concat(F.lit("q "), "text").alias("query_id"),
        "item_id",
        F.lit("us").alias("region"),
        F.lit(1).alias("position"),
        at.alias("event_time"),
        at.alias("known_at"),
        F.lit(date(2026, 2, 20)).alias("event_date"),
        F.lit(1.0).alias("price"),
        clicked.alias("clicked"),
        carted.alias("carted"),
        F.lit(False).alias("purchased"),
        F.lit("test").alias("dataset"),
        F.lit(True).alias("simulated"),
    )


def audit(warehouse: Warehouse) -> dict[tuple[str, str], dict[str, object]]:
    rows = warehouse.read(LABEL_AUDIT).join(
        warehouse.read(QUERIES).select("query_id", text_key(F.col("query_text")).alias("text")),
        on="query_id",
        how="inner",
    )
    return {(r["text"], r["item_id"]): r.asDict() for r in rows.collect()}


def test_planted_errors_are_mended_in_the_view_only(
    spark: SparkSession, market: Warehouse, make_conf: MakeConf
) -> None:
    conf = make_conf(*SETTINGS)
    planned = JOB.run(spark, make_conf(*SETTINGS, dry_run=True))
    assert [(c.rows_in, c.rows_out) for c in planned.counts] == [(324, 324)]
    assert not market.exists(LABEL_AUDIT) and not (market.root / "audit").exists()
    labels = market.read_version(RELEVANCE_LABELS)
    report = JOB.run(spark, conf)
    first = audit(market)
    changed = {key for key, row in first.items() if row["decision"] != "kept"}
    assert changed == set(PLANTED)
    raised = first["blue lamp", "i_blue_lamp"]
    assert (raised["grade"], raised["audited_grade"], raised["decision"]) == (0, 2, "raised")
    lowered = first["red hose", "i_red_lamp"]
    assert (lowered["grade"], lowered["audited_grade"], lowered["decision"]) == (2, 0, "lowered")
    for row in (raised, lowered):
        assert row["flagged_by"] in ("engagement", "both")
        assert row["simulated_engagement"] and row["model_held_out"]
        assert row["impressions"] == 80
    assert float(str(raised["clicks"])) > 3 * float(str(raised["expected_clicks"]))
    assert float(str(lowered["type_share"])) < 0.2
    assert market.read_version(RELEVANCE_LABELS) == labels
    assert [(c.rows_in, c.rows_out) for c in report.counts] == [(len(first), len(first))]
    folds = sorted((market.root / "audit" / "2026-03-01").iterdir())
    assert [folder.name for folder in folds] == ["fold-0", "fold-1"]
    JOB.run(spark, conf)
    assert audit(market) == first
    report = JOB.run(spark, make_conf(*SETTINGS, f"audit.reread.labeler={folds[0]}"))
    again = audit(market)
    assert any("model_held_out is false" in note for note in report.notes)
    assert not any(row["model_held_out"] for row in again.values())
    assert {key: row["q_value"] for key, row in again.items()} == {
        key: row["q_value"] for key, row in first.items()
    }
