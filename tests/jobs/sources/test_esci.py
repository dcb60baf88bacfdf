"""The ESCI adapter on a few rows of our own in the set's published format."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from jobs.sources.base import SourceError
from jobs.sources.esci import EXAMPLES, PRODUCTS, fingerprint, read

MakeConf = Callable[..., ResolvedConf]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files as published: one row per judged pair, one row per product and locale."""
    pairs = [
        (0, "red lamp", 1, "B01", "us", "E", 1, 1, "train"),
        (1, "red lamp", 1, "B02", "us", "S", 1, 1, "train"),
        (2, "red lamp", 1, "B03", "us", "C", 1, 1, "train"),
        (3, "Red Lamp ", 2, "B04", "us", "I", 0, 1, "test"),
        (4, "lampara roja", 3, "B01", "es", "E", 0, 1, "test"),
        (5, "ランプ", 4, "B05", "jp", "E", 1, 1, "train"),
    ]
    names = "example_id query query_id product_id product_locale esci_label small_version"
    columns = [*names.split(), "large_version", "split"]
    pd.DataFrame(pairs, columns=columns).to_parquet(tmp_path / EXAMPLES)
    products = [
        ("B01", "Lamp, red", "A lamp", "bullet", "Acme", "Red", "us"),
        ("B02", "Lamp, blue", None, "bullet", None, "Blue", "us"),
        ("B03", "Bulb", None, None, None, None, "us"),
        ("B04", "Sofa", None, None, None, None, "us"),
        ("B01", "Lámpara", None, None, None, None, "es"),
        ("B05", "ランプ 赤", None, None, None, None, "jp"),
    ]
    parts = ["id", "title", "description", "bullet_point", "brand", "color", "locale"]
    frame = pd.DataFrame(products, columns=[f"product_{part}" for part in parts])
    frame.to_parquet(tmp_path / PRODUCTS)
    return tmp_path


def esci_conf(make_conf: MakeConf, folder: Path, *settings: str) -> ResolvedConf:
    return make_conf(f"source.path={folder}", *settings, files=("esci.yaml",))


def test_labels_become_grades_and_a_locale_is_a_region(
    spark: SparkSession, make_conf: MakeConf, folder: Path
) -> None:
    raw = read(spark, esci_conf(make_conf, folder))
    graded = (
        raw.judgments.join(raw.queries, on="query_id", how="left")
        .select("region", "item_id", "grade", "query_text")
        .collect()
    )
    assert sorted(tuple(r) for r in graded) == [
        ("es", "es-B01", "2", "lampara roja"),
        ("jp", "jp-B05", "2", "ランプ"),
        ("us", "us-B01", "2", "Red Lamp "),
        ("us", "us-B02", "1", "Red Lamp "),
        ("us", "us-B03", "0", "Red Lamp "),
        ("us", "us-B04", "0", "Red Lamp "),
    ]
    assert raw.queries.count() == 3
    assert raw.impressions.count() == 0
    items = {r["item_id"]: r for r in raw.items.collect()}
    assert len(items) == 6
    assert items["us-B02"]["description"] == "bullet"
    assert (items["us-B01"]["brand"], items["us-B01"]["colour"]) == ("Acme", "Red")


def test_conf_selects_locales_version_and_grades(
    spark: SparkSession, make_conf: MakeConf, folder: Path
) -> None:
    settings = [
        "source.locales=[us]",
        "source.small_version=true",
        "source.grades.complement=1",
    ]
    raw = read(spark, esci_conf(make_conf, folder, *settings))
    grades = {r["item_id"]: r["grade"] for r in raw.judgments.collect()}
    assert grades == {"us-B01": "2", "us-B02": "1", "us-B03": "1"}


def test_missing_file_and_column_are_named(
    spark: SparkSession, make_conf: MakeConf, folder: Path
) -> None:
    conf = esci_conf(make_conf, folder)
    before = fingerprint(conf)
    frame = pd.read_parquet(folder / PRODUCTS).drop(columns="product_title")
    frame.to_parquet(folder / PRODUCTS)
    assert fingerprint(conf) != before
    with pytest.raises(SourceError, match=rf"{PRODUCTS}: columns \['product_title'\] are missing"):
        read(spark, conf)
    (folder / EXAMPLES).unlink()
    with pytest.raises(SourceError, match=rf"{EXAMPLES} does not exist; set source.path"):
        read(spark, conf)
