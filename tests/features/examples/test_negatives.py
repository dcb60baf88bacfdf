"""Which ungraded pairs become negatives, and what they weigh."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.errors import ConfError
from conf.load import ResolvedConf
from features.contracts import CANDIDATES, ITEMS, QUERIES
from features.examples.training_rows import labelled_rows
from features.spine import draw_random_pairs
from tests.features.examples.hand_made import RUN, by_id, frame, inputs, label, query, shown

MakeConf = Callable[..., ResolvedConf]
ALL_KINDS = "training_set.negatives={shown: 0.5, retrieved: 0.25, random: 0.125}"


def negatives_of(
    spark: SparkSession, conf: ResolvedConf, candidates: str = "", featured: str = ""
) -> dict[str, tuple[str, float]]:
    """Kind and weight of each negative, by example.

    Of q1 (training) a is graded and shown, b shown, c shown and once bought, d shown before the
    training days, e labelled by a labeler that is not admitted; q2 (validation) and q4 (training,
    no grade) show b. `candidates` and `featured` are items that q1, q2 and q4 have, by one letter
    each.
    """
    made = inputs(
        spark,
        [
            *(shown("s1", item, 2, position=n) for n, item in enumerate("abc", 1)),
            shown("s2", "b", 1),
            shown("s3", "c", 40, purchased=True),
            shown("s3", "d", 40, position=2),
            shown("s4", "b", 2, query_id="q2"),
            shown("s5", "b", 2, query_id="q4"),
        ],
        [
            label("q1", "a", "human", 2),
            label("q1", "e", "model", 2),
            label("q2", "a", "human", 1),
        ],
    )
    keys = "query_id string, item_id string"
    pairs = {
        name: spark.createDataFrame([(q, i) for q in ("q1", "q2", "q4") for i in items], keys)
        for name, items in (("candidates", candidates), ("featured", featured))
    }
    rows = pairs["featured"].withColumn("as_of_date", F.lit(RUN))
    features = replace(made.features, query_item=rows)
    filled = replace(made, candidates=pairs["candidates"], features=features)
    found = by_id(labelled_rows(filled, conf.tree, RUN))
    taken = {name: row for name, row in found.items() if row.label_source == "negative"}
    assert {(r.grade, r.label_ge_1, r.label_ge_2, r.mask_relevance) for r in taken.values()} <= {
        (0, 0, 0, 1)
    }
    assert all(r.split == "train" and r.query_id == "q1" for r in taken.values())
    assert found["s1|a"].grade == 2
    return {name: (row.labeler_version, row.weight_relevance) for name, row in taken.items()}


def test_by_default_nothing_ungraded_is_trained_on(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    assert negatives_of(spark, make_conf(), candidates="abcdef", featured="abcdefg") == {}


def test_a_pair_is_of_the_first_kind_that_it_can_be(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf(ALL_KINDS, "features.random_pairs=1")
    assert negatives_of(spark, conf, candidates="abcdef", featured="abcdefg") == {
        "s2|b": ("shown", 0.5),
        "q1|f": ("retrieved", 0.25),
        "q1|g": ("random", 0.125),
    }


@pytest.mark.parametrize("kind", ["shown", "retrieved", "random"])
def test_a_kind_alone_does_not_take_what_is_of_another(
    spark: SparkSession, make_conf: MakeConf, kind: str
) -> None:
    conf = make_conf(f"training_set.negatives.{kind}=0.25", "features.random_pairs=1")
    example = {"shown": "s2|b", "retrieved": "q1|f", "random": "q1|g"}[kind]
    found = negatives_of(spark, conf, candidates="abcdef", featured="abcdefg")
    assert found == {example: (kind, 0.25)}


def test_a_query_gets_so_many_retrieved_ones_at_most_by_a_hash(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    some = "training_set.negatives={retrieved: 1, retrieved_pairs: 3}"
    taken = [
        set(negatives_of(spark, make_conf(some, f"seed={seed}"), candidates="fghijklm"))
        for seed in (1, 2)
    ]
    assert [len(one) for one in taken] == [3, 3]
    assert taken[0] != taken[1]


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
    one_more = items.union(frame(spark, ITEMS, [{"item_id": "new"}]))
    later = draw_random_pairs(queries, one_more, candidates, tree)
    assert later is not None
    kept = {(row.query_id, row.item_id) for row in later.collect()} & set(pairs)
    assert len(kept) > 0.9 * len(pairs)


def test_an_empty_catalogue_gives_no_pair(spark: SparkSession, make_conf: MakeConf) -> None:
    candidates = frame(spark, CANDIDATES, [{"query_id": "t", "item_id": "i"}])
    drawn = draw_random_pairs(
        frame(spark, QUERIES, [query("t", 0)]),
        frame(spark, ITEMS, []),
        candidates,
        make_conf("features.random_pairs=5").tree,
    )
    assert drawn is not None and drawn.count() == 0
