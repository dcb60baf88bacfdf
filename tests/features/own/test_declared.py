"""Declarations of a team's own features: names, levels, and the column `own`."""

from collections.abc import Callable
from typing import get_args

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ConfError, ResolvedConf
from conf.sections.features import KeyColumn
from features.contracts import EXAMPLE_SCORES, TRAINING_EXAMPLES
from features.declarations import COLUMNS_BESIDE, FEATURES, declare_features, declare_own_features
from features.examples.snapshot import TRAINING
from features.own.declared import (
    OwnFeatureError,
    pack_own_values,
    select_own_value,
    unpack_own_values,
)
from udfs.scoring import OUTPUTS

MakeConf = Callable[..., ResolvedConf]


def own(name: str, key: str, features: str, more: str = "") -> str:
    return (
        f"features.own.{name}={{format: csv, path: x.csv, key: [{key}], as_of: day, "
        f"features: {features}{more}}}"
    )


def test_own_features_come_last_with_their_level_kind_and_region(make_conf: MakeConf) -> None:
    conf = make_conf(
        "features.hash_buckets=64",
        own("stock", "item_id, region", "{days: {default: 3, regional: true, column: d}}"),
        own("intent", "query_text", "{season: {dtype: category}}"),
        own("pins", "query_text, region, item_id", "{pinned: {dtype: boolean}}"),
    ).tree
    found = [
        (f.name, f.table, f.kind, f.default, f.regional, f.buckets)
        for f in declare_own_features(conf)
    ]
    assert found == [
        ("days", "item", "numeric", 3.0, True, 0),
        ("season", "query", "category", 0.0, False, 64),
        ("pinned", "query_item", "numeric", 0.0, False, 0),
    ]
    assert declare_features(conf)[-3:] == declare_own_features(conf)
    assert [f.name for f in declare_features(conf)[:-3]] == [f.name for f in FEATURES]


@pytest.mark.parametrize(
    "name",
    [
        *("item_brand", "position", "weight_relevance", "p_click", "value"),
        *("as_of", "query_text"),
    ],
)
def test_a_name_that_is_taken_is_an_error(make_conf: MakeConf, name: str) -> None:
    conf = make_conf(own("shop", "item_id", f"{{{name}: {{}}}}")).tree
    with pytest.raises(OwnFeatureError, match=rf"features.own.shop.features.{name}: .*taken"):
        declare_features(conf)


def test_two_own_tables_cannot_share_a_name(make_conf: MakeConf) -> None:
    conf = make_conf(own("one", "item_id", "{margin: {}}"), own("two", "item_id", "{margin: {}}"))
    with pytest.raises(OwnFeatureError, match=r"features.own.two.* \(features.own.one has it\)"):
        declare_features(conf.tree)


def test_no_column_beside_the_features_is_free_as_a_name() -> None:
    features = {f.name for f in FEATURES}
    beside = {*TRAINING_EXAMPLES.column_names, *EXAMPLE_SCORES.column_names, *TRAINING.columns}
    keys = {*get_args(KeyColumn), "as_of"}
    assert {*beside, *OUTPUTS, *keys} - features <= {*COLUMNS_BESIDE}


@pytest.mark.parametrize(
    ("key", "features", "more", "reason"),
    [
        ("region", "{a: {}}", "", "region alone is none"),
        ("query_id, region", "{a: {}}", "", "without those two"),
        ("item_id", "{}", "", "at least 1 item"),
        ("item_id", "{Margin: {}}", "", "pattern"),
        ("item_id", "{from: {}}", "", "from is a word of Python; give the feature another name"),
        ("item_id", "{a: {dtype: decimal}}", "", "dtype"),
        ("item_id", "{a: {default: 1e300}}", "", "less than or equal to 34"),
        ("item_id", "{a: {dtype: category, default: 1}}", "", "takes no default"),
        ("item_id", "{a: {}}", ", columns: {region: r}", "not in key"),
        ("item_id", "{a: {}}", ", table: x.y", "either path or table"),
    ],
)
def test_conf_that_means_nothing_is_refused(
    make_conf: MakeConf, key: str, features: str, more: str, reason: str
) -> None:
    with pytest.raises(ConfError, match=reason):
        make_conf(own("shop", key, features, more))


def test_values_are_packed_and_unpacked_with_defaults(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf(own("shop", "item_id", "{a: {default: 7}, b: {default: -1}}")).tree
    features = declare_own_features(conf)
    rows = spark.createDataFrame([(1.5, 2.5)], "a double, b double").select(
        pack_own_values(features)
    )
    assert rows.collect()[0]["own"] == {"a": 1.5, "b": 2.5}
    partly = spark.sql("SELECT map('a', CAST(0 AS float)) AS own UNION ALL SELECT null")
    found = [(r["a"], r["b"]) for r in unpack_own_values(partly, features).collect()]
    assert sorted(found) == [(0.0, -1.0), (7.0, -1.0)]
    assert (
        partly.select(select_own_value(features[0])).schema["a"].dataType.simpleString() == "float"
    )
    assert spark.range(1).select(pack_own_values(())).where(F.col("own").isNull()).count() == 1
