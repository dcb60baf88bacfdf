"""How far raters agree: the grades of each two counted, and Krippendorff's alpha of all.

Spark counts; the formulas work on counts that do not grow with the answers.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.labels.grades import GRADES

Confusion = Mapping[tuple[int, int], int]
"""Pairs by the grades of two raters."""


def count_confusions(answers: DataFrame) -> dict[tuple[str, str], Confusion]:
    """Count pairs by the grades of each two raters (in alphabetical order) that share any.

    Args:
        answers: query_id, item_id, rater, grade; one row per pair and rater.
    """
    key = ["query_id", "item_id"]
    left = answers.select(*key, F.col("rater").alias("a"), F.col("grade").alias("grade_a"))
    right = answers.select(*key, F.col("rater").alias("b"), F.col("grade").alias("grade_b"))
    counted = (
        left.join(right, on=key, how="inner")
        .where("a < b")
        .groupBy("a", "b", "grade_a", "grade_b")
        .count()
    )
    by_raters: dict[tuple[str, str], dict[tuple[int, int], int]] = {}
    for row in counted.collect():
        by_raters.setdefault((row["a"], row["b"]), {})[row["grade_a"], row["grade_b"]] = row[
            "count"
        ]
    return dict(sorted(by_raters.items()))


def grade_counts(answers: DataFrame) -> dict[tuple[int, ...], int]:
    """Count pairs by how many raters gave each grade: (answers 0, answers 1,
    answers 2) -> pairs.
    """
    given = [F.count_if(F.col("grade") == grade).alias(f"n{grade}") for grade in GRADES]
    names = [f"n{grade}" for grade in GRADES]
    counted = answers.groupBy("query_id", "item_id").agg(*given).groupBy(*names).count()
    return {tuple(int(row[n]) for n in names): int(row["count"]) for row in counted.collect()}


def krippendorff_alpha(counts: Mapping[tuple[int, ...], int]) -> float | None:
    """Compute Krippendorff's alpha with the ordinal metric; None where it is not defined.

    1 - (n - 1) sum_{c<k} o_ck d_ck / sum_{c<k} n_c n_k d_ck over the answers of pairs that have two
    or more: o_ck coincidences (each two answers of a pair, by 1 / (answers - 1)), n_c answers c,
    and d_ck = (sum_{g=c..k} n_g - (n_c + n_k) / 2)^2 (Krippendorff 2011, Computing Krippendorff's
    alpha-reliability, ordinal metric). Not defined where all answers are one grade.

    Args:
        counts: of `grade_counts`.
    """
    paired = {given: pairs for given, pairs in counts.items() if sum(given) >= 2}
    answers = [sum(given[c] * pairs for given, pairs in paired.items()) for c in GRADES]
    steps = list(combinations(GRADES, 2))
    distance = {step: _ordinal_distance(answers, *step) for step in steps}
    observed = sum(
        pairs * given[c] * given[k] / (sum(given) - 1) * distance[c, k]
        for given, pairs in paired.items()
        for c, k in steps
    )
    expected = sum(answers[c] * answers[k] * distance[c, k] for c, k in steps)
    return None if expected == 0 else 1.0 - (sum(answers) - 1) * observed / expected


def _ordinal_distance(answers: Sequence[int], low: int, high: int) -> float:
    between = sum(answers[low : high + 1])
    return (between - (answers[low] + answers[high]) / 2.0) ** 2
