"""A team's own features: read, kept over nights, and refused where the feed broke."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import OWN_VALUES, QUARANTINE
from jobs import import_features
from jobs.platform.runner import open_warehouse, run_job
from jobs.sources.base import SourceError
from jobs.sources.guard import InputRefusedError

MakeConf = Callable[..., ResolvedConf]


class Shop:
    """A CSV file of own features, and the conf that names it."""

    def __init__(self, spark: SparkSession, make_conf: MakeConf, folder: Path) -> None:
        self.spark, self.file = spark, folder / "stock.csv"
        self.settings = [
            f"features.own.shop={{format: csv, path: '{self.file}', key: [item_id, region], "
            f"as_of: day, features: {{stock: {{dtype: int}}}}}}"
        ]
        self.make_conf = make_conf

    def run(
        self, rows: Sequence[tuple[str, str, object]], *settings: str, **changes: object
    ) -> None:
        """Write (item, day, stock) as the file and run the job."""
        lines = [f"{item},us,{day},{stock}" for item, day, stock in rows]
        self.file.write_text("\n".join(["item_id,region,day,stock", *lines]))
        conf = self.make_conf(*self.settings, *settings)
        self.report = run_job(import_features.JOB, self.spark, replace(conf, **changes))

    def read_stock(self) -> dict[tuple[str, str], str]:
        """Stock as it is stored, by item and day."""
        warehouse, _ = open_warehouse(self.spark, self.make_conf(*self.settings), "test")
        stock = F.get_json_object("values", "$.stock")
        rows = warehouse.read(OWN_VALUES).select("item_id", "as_of_date", stock.alias("stock"))
        return {(r["item_id"], str(r["as_of_date"])): r["stock"] for r in rows.collect()}


@pytest.fixture
def shop(spark: SparkSession, make_conf: MakeConf, tmp_path: Path) -> Shop:
    return Shop(spark, make_conf, tmp_path)


def test_values_of_each_night_add_up_and_a_day_that_is_given_is_whole(shop: Shop) -> None:
    shop.run([("a", "2026-02-27", 1), ("b", "2026-02-27", 2)])
    shop.run([("a", "2026-02-28", 3), ("b", "2026-02-28", 4)])
    assert len(shop.read_stock()) == 4
    shop.run([("a", "2026-02-28", 5), ("c", "2026-02-28", 6)])
    assert shop.read_stock() == {
        ("a", "2026-02-27"): "1",
        ("b", "2026-02-27"): "2",
        ("a", "2026-02-28"): "5",
        ("c", "2026-02-28"): "6",
    }


def test_a_row_that_comes_late_counts_from_its_day_and_one_that_comes_early_waits_for_it(
    shop: Shop,
) -> None:
    early, late = ("a", "2026-03-02", 2), ("a", "2026-02-20", 3)
    shop.run([("a", "2026-02-28", 1), early])
    assert shop.read_stock() == {("a", "2026-02-28"): "1"}
    shop.run([("a", "2026-02-28", 1), early, late], "run_date=2026-03-03")
    assert shop.report.details["quarantined"] == {"shop": {}}
    assert shop.read_stock() == {
        ("a", "2026-02-20"): "3",
        ("a", "2026-02-28"): "1",
        ("a", "2026-03-02"): "2",
    }


def test_a_value_whose_new_version_is_quarantined_stays(shop: Shop) -> None:
    shop.run([("a", "2026-02-28", 1), ("b", "2026-02-28", 2), ("c", "2026-02-28", 3)])
    shop.run([("a", "2026-02-28", "many"), ("b", "2026-02-28", 5), ("d", "2026-02-28", 6)])
    assert shop.read_stock() == {
        ("a", "2026-02-28"): "1",
        ("b", "2026-02-28"): "5",
        ("d", "2026-02-28"): "6",
    }
    (count,) = (c for c in shop.report.counts if c.table == "own_values.shop")
    assert (count.rows_in, count.rows_out, count.rows_quarantined) == (3, 2, 1)


def test_equal_values_write_nothing(shop: Shop) -> None:
    rows = [("a", "2026-02-27", 1)]
    shop.run(rows)
    before = shop.report.outputs["own_values"]
    shop.run(rows)
    assert shop.report.outputs["own_values"] == before


def test_a_feed_that_broke_off_stops_the_night_unless_it_is_meant(shop: Shop) -> None:
    whole = [(item, "2026-02-28", 1) for item in "abcdefghij"]
    shop.run(whole)
    with pytest.raises(InputRefusedError, match=r"gives 7 rows, 10 in the last run.*20%"):
        shop.run(whole[:7])
    with pytest.raises(InputRefusedError, match=r"gives no rows, 10 in the last run"):
        shop.run([])
    assert len(shop.read_stock()) == 10
    shop.run(whole[:7], allow_shrink=frozenset({"own_values"}))
    assert len(shop.read_stock()) == 7


def test_an_earlier_run_date_adds_and_changes_nothing_that_is_there(shop: Shop) -> None:
    shop.run([("a", "2026-02-20", 1), ("b", "2026-02-20", 2)])
    shop.run(
        [("a", "2026-02-20", 9), ("c", "2026-02-20", 3), ("a", "2026-02-28", 4)],
        "run_date=2026-02-21",
    )
    assert shop.read_stock() == {
        ("a", "2026-02-20"): "1",
        ("b", "2026-02-20"): "2",
        ("c", "2026-02-20"): "3",
    }
    assert shop.report.details["quarantined"] == {"shop": {"as_of_after_run_date": 1}}


def test_a_table_that_went_away_is_named(shop: Shop) -> None:
    shop.run([("a", "2026-02-28", 1)])
    shop.file.unlink()
    conf = shop.make_conf(*shop.settings)
    with pytest.raises(SourceError, match=r"stock.csv does not exist; set features.own.shop.path"):
        import_features.JOB.run(shop.spark, conf)
    assert shop.read_stock() == {("a", "2026-02-28"): "1"}


def test_a_table_that_cannot_be_read_is_named_by_its_place_in_conf(shop: Shop) -> None:
    shop.file.write_text("item_id;region;day;stock\na;us;2026-02-28;1\n")
    with pytest.raises(SourceError, match=r"set the delimiter to ';' in conf `features.own.shop`"):
        import_features.JOB.run(shop.spark, shop.make_conf(*shop.settings))
    shop.settings = [shop.settings[0].replace("format: csv", "format: parquet")]
    with pytest.raises(SourceError, match=r"the format in conf `features.own.shop`"):
        import_features.JOB.run(shop.spark, shop.make_conf(*shop.settings))


@pytest.mark.parametrize(
    ("key", "features", "message"),
    [
        ("item_id", "{vector: {}}", r"shop.features.vector: column vector is array<double>"),
        ("vector", "{x: {column: it`s}}", r"shop: column vector \(for item_id\) is array<double>"),
    ],
)
def test_a_column_of_lists_is_neither_feature_nor_key(
    spark: SparkSession, make_conf: MakeConf, tmp_path: Path, key: str, features: str, message: str
) -> None:
    conf = write_vectors(spark, make_conf, tmp_path, key, features)
    with pytest.raises(SourceError, match=message):
        import_features.JOB.run(spark, conf)


def test_a_column_may_have_any_name(
    spark: SparkSession, make_conf: MakeConf, tmp_path: Path
) -> None:
    conf = write_vectors(spark, make_conf, tmp_path, "item_id", "{x: {column: it`s}}")
    import_features.JOB.run(spark, conf)
    (stored,) = open_warehouse(spark, conf, "test")[0].read(OWN_VALUES).collect()
    assert (stored["item_id"], stored["values"]) == ("a", '{"x":"2.0"}')


def write_vectors(
    spark: SparkSession, make_conf: MakeConf, tmp_path: Path, key: str, features: str
) -> ResolvedConf:
    """Write a table with a column of lists, and one with a quote in its name."""
    columns = ["item_id", "day", "vector", "it`s"]
    rows = spark.createDataFrame([("a", date(2026, 2, 1), [1.0], 2.0)], columns)
    rows.write.parquet(str(tmp_path / "vectors"))
    return make_conf(
        f"features.own.shop={{format: parquet, path: '{tmp_path / 'vectors'}', key: [item_id], "
        f"columns: {{item_id: {key}}}, as_of: day, features: {features}}}"
    )


def test_without_own_features_nothing_is_written(spark: SparkSession, make_conf: MakeConf) -> None:
    report = import_features.JOB.run(spark, make_conf())
    assert report.counts == []
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    assert not warehouse.exists(OWN_VALUES)
    assert not warehouse.exists(QUARANTINE)
