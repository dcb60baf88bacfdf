"""Negatives from end to end: random pairs are compared, get features, and are trained on."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from features.contracts import CANDIDATES, SCORING_ROWS, TRAINING_EXAMPLES
from features.declarations import PAIR_LEVEL
from jobs import (
    build_candidates,
    build_features,
    build_scoring_rows,
    build_training_set,
    compare_pairs,
    embed_texts,
    import_labels,
    read_texts,
)
from tests.jobs.features_market import TITLES, Market, write_market

JOBS = (
    import_labels,
    embed_texts,
    read_texts,
    build_candidates,
    compare_pairs,
    build_features,
    build_scoring_rows,
    build_training_set,
)
SETTINGS = (
    "features.random_pairs=12",
    "training_set.negatives={retrieved: 0.5, random: 0.25}",
    "training_set.short_look_back=keep",
)


@pytest.fixture(scope="module")
def examples(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str
) -> tuple[Market, dict[str, Any]]:
    """The market after its jobs, and the labelled examples of its one labelled query by item."""
    market = write_market(spark, str(tmp_path_factory.mktemp("negatives")), tiny_encoder)
    for job in JOBS:
        report = job.JOB.run(spark, market.conf(*SETTINGS))
    assert set(report.details["rows_without_features"].values()) == {0}
    rows = [r for r in market.rows(TRAINING_EXAMPLES) if r.mask_relevance]
    assert {r.query_id for r in rows} == {"desk|uk"}
    return market, {r.item_id: r for r in rows}


def test_a_drawn_pair_is_a_negative_with_features_of_its_own(
    examples: tuple[Market, dict[str, Any]],
) -> None:
    market, by_item = examples
    kinds = {i: r.labeler_version for i, r in by_item.items() if r.label_source == "negative"}
    candidates = {r.item_id for r in market.rows(CANDIDATES) if r.query_id == "desk|uk"}
    drawn = {item for item, kind in kinds.items() if kind == "random"}
    assert drawn and not drawn & candidates and drawn <= {title[0] for title in TITLES}
    assert kinds["lamp2"] == "retrieved"
    assert by_item["sofa3"].label_source == "human"
    names = [f.name for f in PAIR_LEVEL if f.name.startswith("pair_cos")]
    unknown = {f.name: f.default for f in PAIR_LEVEL}
    for item in drawn:
        row = by_item[item].asDict()
        assert row["weight_relevance"] == 0.25 and row["position"] == 0
        assert any(row[name] != unknown[name] for name in names)


def test_a_drawn_pair_is_not_scored(examples: tuple[Market, dict[str, Any]]) -> None:
    market, _ = examples
    scored = sum(len(row.item_ids) for row in market.rows(SCORING_ROWS))
    assert scored == len(market.rows(CANDIDATES))
