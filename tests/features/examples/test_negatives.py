"""Which ungraded pairs become negatives, and what they weigh."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession

from conf.errors import ConfError
from conf.load import ResolvedConf
from features.contracts import CANDIDATES, ITEMS, QUERIES
from features.examples.training_rows import labelled_rows
from features.spine import draw_random_pairs
from tests.features.examples.hand_made import RUN, by_id, frame, inputs, label, query, shown

MakeConf = Callable[..., ResolvedConf]
ALL_KINDS = "training_set.negatives={shown: 0.5, retrieved: 0.25, random: 0.125}"


def negatives_of(
    spark: SparkSession, conf: ResolvedConf, retrieved: str = "", drawn: str = ""
) -> dict[str, tuple[str, float]]:
    """Kind and weight of each negative, by example.

    Of q1 (training) a is graded and shown, b shown; q2 (validation) and q4 (training, no grade)
    show b. `retrieved` and `drawn` are items that q1, q2 and q4 have, by one letter each.
    """
    made = inputs(
        spark,
        [
            shown("s1", "a", 2),
            shown("s1", "b", 2, position=2),
            shown("s2", "b", 1),
            shown("s3", "b", 2, query_id="q2"),
            shown("s4", "b", 2, query_id="q4"),
        ],
        [label("q1", "a", "human", 2), label("q2", "a", "human", 1)],
    )
    pools = [
        spark.createDataFrame(
            [(q, item) for q in ("q1", "q2", "q4") for item in items],
            "query_id string, item_id string",
        )
        for items in (retrieved, drawn)
    ]
    filled = replace(made, retrieved=pools[0], drawn=pools[1])
    rows = by_id(labelled_rows(filled, conf.tree, RUN))
    taken = {name: row for name, row in rows.items() if row.labeler_version != "v1"}
    for row in taken.values():
        if row.mask_relevance:
            assert (row.label_source, row.grade, row.label_ge_1) == ("assumed", 0, 0)
    return {
        name: (row.labeler_version, row.weight_relevance)
        for name, row in taken.items()
        if row.mask_relevance
    }


def test_by_default_nothing_ungraded_is_trained_on(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    assert negatives_of(spark, make_conf(), retrieved="abc", drawn="abc") == {}


def test_each_kind_has_its_weight_and_the_first_kind_counts(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf(ALL_KINDS, "features.random_pairs=1")
    assert negatives_of(spark, conf, retrieved="abcd", drawn="abcde") == {
        "s2|b": ("negative_shown", 0.5),
        "q1|c": ("negative_retrieved", 0.25),
        "q1|d": ("negative_retrieved", 0.25),
        "q1|e": ("negative_random", 0.125),
    }


def test_a_kind_without_weight_is_left_out(spark: SparkSession, make_conf: MakeConf) -> None:
    conf = make_conf("training_set.negatives.retrieved=0.25")
    # b was shown: it is a negative of that kind or of none.
    found = negatives_of(spark, conf, retrieved="abc", drawn="d")
    assert found == {"q1|c": ("negative_retrieved", 0.25)}


def test_a_query_gets_so_many_retrieved_ones_at_most(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf("training_set.negatives={retrieved: 1, retrieved_pairs: 2}")
    assert len(negatives_of(spark, conf, retrieved="cdefgh")) == 2


def test_random_negatives_without_features_are_refused(make_conf: MakeConf) -> None:
    with pytest.raises(ConfError, match=r"set features\.random_pairs"):
        make_conf("training_set.negatives.random=0.1")


def test_a_training_query_with_candidates_draws_items_of_the_whole_catalogue(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    asked = [*(query(f"t{i}", 0) for i in range(40)), query("validation", 8), query("idle", 0)]
    items = frame(spark, ITEMS, [{"item_id": f"i{n}"} for n in range(500)])
    candidates = frame(
        spark, CANDIDATES, [{"query_id": q["query_id"], "item_id": "i0"} for q in asked[:-1]]
    )
    queries, tree = frame(spark, QUERIES, asked), make_conf("features.random_pairs=20").tree
    drawn = draw_random_pairs(queries, items, candidates, tree)
    again = draw_random_pairs(queries, items.repartition(7), candidates.repartition(3), tree)
    assert drawn is not None and again is not None
    pairs = [(row.query_id, row.item_id) for row in drawn.collect()]
    assert len(set(pairs)) == len(pairs)
    assert {name for name, _ in pairs} == {f"t{i}" for i in range(40)}
    assert 700 < len(pairs) < 900  # 40 x 20, less items that are drawn twice
    assert len({item for _, item in pairs}) > 250
    assert {(row.query_id, row.item_id) for row in again.collect()} == set(pairs)
