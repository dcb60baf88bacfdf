"""A team's own tables: formats, mapped names, and the log as it stood at a run date."""

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ConfError, ResolvedConf
from features.quality.typed import MALFORMED
from jobs.sources.base import SourceError
from jobs.sources.tables import fingerprint, read
from jobs.sources.window import as_of, replaced_days, within_history

MakeConf = Callable[..., ResolvedConf]


@pytest.fixture
def settings(spark: SparkSession, tmp_path: Path) -> list[str]:
    """Items as Delta, judgments as JSON lines with labels; no table of queries."""
    items = pd.DataFrame({"sku": ["a", "b"], "name": ["lamp", "rug"], "price": [1.5, None]})
    spark.createDataFrame(items).write.format("delta").save(str(tmp_path / "items"))
    pairs = [
        {"search_term": "Lamp", "item_id": "a", "label": "good"},
        {"search_term": "lamp ", "item_id": "b", "label": "odd", "market": {"x": 1}},
    ]
    lines = [*map(json.dumps, pairs), '{"search_term": "broken']
    (tmp_path / "pairs.json").write_text("\n".join(lines))
    return [
        "source.kind=tables",
        "source.dataset=shop",
        f"source.items.path={tmp_path / 'items'}",
        "source.items.columns={item_id: sku, title: name}",
        f"source.judgments.path={tmp_path / 'pairs.json'}",
        "source.judgments.format=json",
        "source.judgments.columns={query_text: search_term, grade: label}",
        "source.judgments.fixed={region: us}",
        "source.grades={good: 2, bad: 0}",
    ]


def test_names_are_mapped_and_queries_made_from_texts(
    spark: SparkSession, make_conf: MakeConf, settings: list[str]
) -> None:
    raw = read(spark, make_conf(*settings))
    items = {r["item_id"]: (r["title"], r["dataset"], r["simulated"]) for r in raw.items.collect()}
    assert items == {"a": ("lamp", "shop", False), "b": ("rug", "shop", False)}
    judged = raw.judgments.orderBy("item_id").collect()
    assert [(r["item_id"], r["grade"], r["source"]) for r in judged] == [
        (None, None, "human"),
        ("a", "2", "human"),
        ("b", "odd", "human"),
    ]
    assert judged[0][MALFORMED] == '{"search_term": "broken'
    queries = raw.queries.collect()
    assert [(r["query_text"], r["region"]) for r in queries] == [("Lamp", "us")]
    assert queries[0]["query_id"] == judged[1]["query_id"] == judged[2]["query_id"]
    assert not raw.closed


def test_a_header_that_names_a_column_twice_is_said(
    spark: SparkSession, make_conf: MakeConf, settings: list[str], tmp_path: Path
) -> None:
    (tmp_path / "items.csv").write_text("sku,name,sku,name1\na,lamp,a,x\n")
    place = f"source.items.path={tmp_path / 'items.csv'}"
    with pytest.raises(SourceError, match=r"the header names \['sku'\] more than once; check"):
        read(spark, make_conf(*settings, place, "source.items.format=csv"))


def test_fingerprint_follows_the_files(make_conf: MakeConf, settings: list[str]) -> None:
    conf = make_conf(*settings)
    before = fingerprint(conf)
    assert fingerprint(conf) == before
    path = Path(str(conf.tree.source.model_dump()["judgments"]["path"]))
    path.write_text(path.read_text() + "\n")
    assert fingerprint(conf) != before


def test_a_table_by_name_or_remote_path_is_seen_by_its_version_or_listing(
    spark: SparkSession, make_conf: MakeConf, settings: list[str], tmp_path: Path
) -> None:
    """Delta by name; Parquet by URL and by name; nothing to be seen: the run date."""
    spark.sql(f"CREATE TABLE fingerprinted USING delta LOCATION '{tmp_path / 'items'}'")
    try:
        named = make_conf(*settings, "source.items={path: null, table: fingerprinted}")
        before = fingerprint(named)
        assert fingerprint(named) == before
        spark.sql("DELETE FROM fingerprinted WHERE sku = 'a'")
        assert fingerprint(named) != before
    finally:
        spark.sql("DROP TABLE fingerprinted")
    remote = make_conf(
        *settings, f"source.items.path=file:{tmp_path / 'plain'}", "source.items.format=parquet"
    )
    spark.range(2).write.parquet(str(tmp_path / "plain"))
    before = fingerprint(remote)
    assert fingerprint(remote) == before
    spark.range(2).write.mode("overwrite").parquet(str(tmp_path / "plain"))
    assert fingerprint(remote) != before
    odd = tmp_path / "New York"  # a URI escapes such names
    spark.range(2).write.parquet(str(odd))
    spark.sql(f"CREATE TABLE plainly_named USING parquet LOCATION '{odd}'")
    try:
        named = make_conf(*settings, "source.items={path: null, table: plainly_named}")
        before = fingerprint(named)
        assert fingerprint(named) == before
        for file in odd.glob("*.parquet"):  # written over under its own name
            os.utime(file, (1, 1))
        spark.catalog.refreshTable("plainly_named")
        assert fingerprint(named) != before
    finally:
        spark.sql("DROP TABLE plainly_named")
    unseen = [*settings, "source.items={path: null, table: no.such.table}"]
    assert fingerprint(make_conf(*unseen)) == fingerprint(make_conf(*unseen))
    assert fingerprint(make_conf(*unseen)) != fingerprint(make_conf(*unseen, "run_date=2026-03-02"))


def test_texts_are_needed_where_queries_are_not_given(
    spark: SparkSession, make_conf: MakeConf, settings: list[str]
) -> None:
    by_id = [s.replace("query_text:", "query_id:") for s in settings]
    with pytest.raises(SourceError, match=r"source.queries is not given"):
        read(spark, make_conf(*by_id))
    missing = "source.items={path: null, table: no_such_table}"
    with pytest.raises(SourceError, match=r"source.items.table no_such_table cannot be read"):
        read(spark, make_conf(*settings, missing))


def test_conf_asks_for_one_place_and_something_to_learn(
    make_conf: MakeConf, settings: list[str]
) -> None:
    with pytest.raises(ConfError, match="give either path or table"):
        make_conf(*settings, "source.items.table=x")
    with pytest.raises(ConfError, match="give impressions, judgments or both"):
        make_conf("source.kind=tables", "source.items.path=x")


LOG = [
    ("before", "2026-02-27 10:00:00", "2026-02-27 10:01:00", "2026-02-28 09:00:00", "true"),
    ("cart-later", "2026-02-27 10:00:00", "2026-02-27 10:01:00", "2026-03-01 00:00:00", "true"),
    ("shown-later", "2026-03-01 00:00:00", "2026-03-01 00:01:00", None, "false"),
    ("known-later", "2026-02-28 23:00:00", "2026-03-01 00:00:00", None, "false"),
    ("old", "2026-01-01 10:00:00", "2026-01-01 10:01:00", None, "false"),
    ("unreadable", "noon", "2026-02-27 10:01:00", None, "false"),
]


def test_log_as_it_stood_at_the_run_date_and_within_history(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    names = "search_id string, event_time string, known_at string, carted_at string, carted string"
    log = spark.createDataFrame(LOG, names)
    conf = make_conf("run_date=2026-03-01", "ingest.history_days=56")
    then = as_of(within_history(log, conf), conf.run_date)
    found = {r["search_id"]: (r["carted"], r["carted_at"]) for r in then.collect()}
    assert found == {
        "before": ("true", "2026-02-28 09:00:00"),
        "cart-later": ("false", None),
        "unreadable": ("false", None),
    }
    assert replaced_days(conf) == "event_date >= DATE'2026-01-04' AND event_date < DATE'2026-03-01'"
    assert replaced_days(make_conf("run_date=2026-03-01")) == "event_date < DATE'2026-03-01'"


def test_what_was_known_only_later_is_undone_and_a_row_sent_again_stays(
    spark: SparkSession,
) -> None:
    log = spark.createDataFrame(
        [
            ("sent-again", "2026-03-05", "true", "2026-02-27 11:00:00", "true", "2026-03-04"),
            ("click-later", "2026-02-27", "true", "2026-03-01 00:00:00", "false", None),
            ("known-later", "2026-03-01", "true", None, "false", None),
        ],
        "search_id string, known_at string, clicked string, clicked_known_at string, "
        "carted string, carted_known_at string",
    ).withColumn("event_time", F.lit("2026-02-27 00:00:00"))
    found = {r["search_id"]: tuple(r)[2:6] for r in as_of(log, date(2026, 3, 1)).collect()}
    assert found == {
        "sent-again": ("true", "2026-02-27 11:00:00", "false", None),
        "click-later": ("false", None, "false", None),
    }


@pytest.fixture
def goods(spark: SparkSession, tmp_path: Path) -> list[str]:
    """One table for all, with columns of lists that bear our names, and a quote in a name."""
    row = ("a", ["lamp"], "rug", ["us", "fr"], ["red"], "0")
    rows = spark.createDataFrame([row], ["sku", "names", "na`me", "region", "colour", "mark"])
    rows.write.parquet(str(tmp_path / "goods"))
    given = [f"format: parquet, path: {tmp_path / 'goods'}"] * 3
    given[1] += ", columns: {query_text: sku}, fixed: {region: us}"
    given[2] += ", columns: {item_id: sku, query_text: sku, grade: mark}, fixed: {region: us}"
    return [
        *("source.kind=tables", "source.dataset=shop", f"source.items={{{given[0]}}}"),
        *(f"source.queries={{{given[1]}}}", f"source.judgments={{{given[2]}}}"),
    ]


def test_a_column_may_have_any_name_and_lists_that_nobody_mapped_are_left_out(
    spark: SparkSession,
    make_conf: MakeConf,
    goods: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    named = read(spark, make_conf(*goods, "source.items.columns={item_id: sku, title: na`me}"))
    (item,) = named.items.collect()
    assert (item.item_id, item.title, "colour" in named.items.columns) == ("a", "rug", False)
    assert "column colour is array<string>, no plain value, and is not read" in caplog.text


@pytest.mark.parametrize(
    "columns", ["item_id: sku, title: names", "item_id: sku, title: na`me, brand: colour"]
)
def test_a_column_of_lists_that_was_asked_for_is_refused(
    spark: SparkSession, make_conf: MakeConf, goods: list[str], columns: str
) -> None:
    with pytest.raises(SourceError, match=r"items: column \w+ \(for \w+\) is array<string>"):
        read(spark, make_conf(*goods, f"source.items.columns={{{columns}}}"))
