"""The WANDS adapter on a few rows of our own in the set's published format."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from jobs.sources.base import SourceError
from jobs.sources.wands import read

MakeConf = Callable[..., ResolvedConf]

QUERIES = 'query_id\tquery\tquery_class\n0\toak table\tTables\n1\t"36"" vanity"\tVanities\n'
PRODUCTS = (
    "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\t"
    "product_features\trating_count\taverage_rating\treview_count\n"
    "0\tround oak table\tTables|Dining Tables\tFurniture / Tables\ta table , oak\t"
    "shape : round|color : light oak|Material:solid wood\t15.0\t4.5\t15.0\n"
    "1\tgrey vanity\t\t\t\tdscolor : grey\t\t\t\n"
)
LABELS = "id\tquery_id\tproduct_id\tlabel\n" + "".join(
    f"{i}\t{line}\n"
    for i, line in enumerate(
        ["0\t0\tExact", "0\t1\tIrrelevant", "1\t1\tPartial", "9\t1\tExact", "1\t0\tUnsure"]
    )
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tab-separated files as published."""
    for name, text in {"query": QUERIES, "product": PRODUCTS, "label": LABELS}.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def wands_conf(make_conf: MakeConf, folder: Path) -> ResolvedConf:
    return make_conf(f"source.path={folder}", files=("wands.yaml",))


def test_labels_names_and_features(spark: SparkSession, make_conf: MakeConf, folder: Path) -> None:
    raw = read(spark, wands_conf(make_conf, folder))
    texts = {r["query_id"]: r["query_text"] for r in raw.queries.collect()}
    assert sorted(texts.values()) == ['36" vanity', "oak table"]
    graded = [
        (texts.get(r["query_id"], r["query_id"]), r["item_id"], r["grade"])
        for r in raw.judgments.collect()
    ]
    assert sorted(graded) == [
        ('36" vanity', "0", "Unsure"),
        ('36" vanity', "1", "1"),
        ("oak table", "0", "2"),
        ("oak table", "1", "0"),
        ("query.csv 9", "1", "2"),
    ]
    items = {r["item_id"]: r for r in raw.items.collect()}
    table = items["0"]
    assert (table["item_type"], table["colour"], table["material"]) == (
        "Tables",
        "light oak",
        "solid wood",
    )
    assert (items["1"]["item_type"], items["1"]["colour"]) == (None, None)


def test_file_that_is_not_tab_separated(
    spark: SparkSession, make_conf: MakeConf, folder: Path
) -> None:
    (folder / "label.csv").write_text(LABELS.replace("\t", ","))
    with pytest.raises(SourceError, match=r"label.csv: the header reads as one column .*a comma"):
        read(spark, wands_conf(make_conf, folder))
