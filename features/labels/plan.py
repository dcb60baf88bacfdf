"""Which pairs of texts a labeler reads in a run, in what order, and the labels that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.contracts import RELEVANCE_LABELS
from features.draws import draw_hash
from features.labels.grades import compute_grade_entropy
from features.labels.judged import MODEL_SOURCES
from features.labels.pairs import TEXT_PAIR, item_texts, query_texts
from features.text.texts import text_hash

PAIR = ("query_id", "item_id")
MOST_SHOWN = 1_000
"""Pairs of texts shown so often or more are of one rank."""
_KEPT = ("p_ge_1", "p_ge_2", "grade")


@dataclass(frozen=True)
class Step:
    """Part of a plan: pairs of texts shown `shown` times go, by hash, to the `parts` chunks from
    `first_chunk` on.
    """

    shown: int
    first_chunk: int
    parts: int


@dataclass(frozen=True)
class Plan:
    """Chunks in the order in which they are labelled.

    Attributes:
        steps: where the pairs of texts of each rank go.
        sizes: expected pairs of texts of each chunk.
    """

    steps: tuple[Step, ...]
    sizes: tuple[int, ...]

    def cut_to_budget(self, budget: int | None) -> "Plan":
        """Keep the first chunks, as many as hold about `budget` pairs of texts, at least one."""
        if budget is None:
            return self
        reached = list(accumulate(self.sizes))
        return replace(self, sizes=self.sizes[: max(1, sum(size <= budget for size in reached))])


def wanted_pairs(
    candidates: DataFrame, human: DataFrame | None, standing: Sequence[DataFrame]
) -> DataFrame:
    """Return query_id and item_id of the candidates that are to get a label of the admitted
    version.

    Args:
        candidates: rows of one run of the candidates table.
        human: labels of people whose pairs need no other; None: label those pairs, too.
        standing: labels of models that stay; their pairs are left out.
    """
    pairs = candidates.select(*PAIR).distinct()
    for labels in ([] if human is None else [human], standing):
        for frame in labels:
            pairs = pairs.join(frame.select(*PAIR), on=list(PAIR), how="left_anti")
    return pairs


def labels_of(labels: DataFrame, version: str) -> DataFrame:
    """Select the model labels of one version."""
    is_model = F.col("source").isin(*MODEL_SOURCES)
    return labels.where(is_model & (F.col("labeler_version") == version))


def select_certain(labels: DataFrame, doubt: float) -> DataFrame:
    """Select the labels whose grade has an entropy below `doubt` (nats)."""
    return labels.where(compute_grade_entropy(F.col("p_ge_1"), F.col("p_ge_2")) < doubt)


def add_pair_texts(
    pairs: DataFrame, queries: DataFrame, items: DataFrame, shown: DataFrame
) -> DataFrame:
    """Add TEXT_PAIR, query_text, item_text, shown, and `reason`: why a pair cannot be labelled.

    Args:
        shown: query_id, item_id, shown; pairs that it lacks were shown 0 times.
    """
    texts = query_texts(queries).select("query_id", "query_text", "text_key")
    counts = shown.groupBy(*PAIR).agg(F.sum("shown").alias("shown"))
    return (
        pairs.join(texts, on="query_id", how="left")
        .join(item_texts(items), on="item_id", how="left")
        .join(counts, on=list(PAIR), how="left")
        .withColumns({"shown": F.coalesce("shown", F.lit(0)), "reason": _find_reason()})
    )


def text_pairs(pairs: DataFrame) -> DataFrame:
    """Return one row per distinct pair of texts, with the pairs that share it.

    Returns:
        TEXT_PAIR, query_text, item_text, rank (times shown, at most MOST_SHOWN), members (array of
        query_id and item_id).
    """
    return (
        pairs.groupBy(*TEXT_PAIR)
        .agg(
            F.min("query_text").alias("query_text"),
            F.min("item_text").alias("item_text"),
            F.least(F.sum("shown"), F.lit(MOST_SHOWN)).cast("int").alias("rank"),
            F.collect_list(F.struct(*PAIR)).alias("members"),
        )
        .withColumn("members", F.array_sort("members"))
    )


def with_vectors(texts: DataFrame, vectors: DataFrame | None) -> DataFrame:
    """Add query_vector and item_vector; null where none is stored.

    Args:
        texts: with query_text and item_text.
        vectors: text_hash, embedding of one encoder version; None: nothing is stored.
    """
    if vectors is None:
        nothing = F.lit(None).cast("array<float>")
        return texts.withColumns({"query_vector": nothing, "item_vector": nothing})
    for side in ("query", "item"):
        key = f"{side}_hash"
        stored = vectors.select(
            F.col("text_hash").alias(key), F.col("embedding").alias(f"{side}_vector")
        )
        hashed = texts.withColumn(key, text_hash(F.col(f"{side}_text")))
        texts = hashed.join(stored, on=key, how="left").drop(key)
    return texts


def known_answers(
    labels: DataFrame, pairs: DataFrame, queries: DataFrame, items: DataFrame
) -> DataFrame:
    """Return TEXT_PAIR, p_ge_1, p_ge_2 and grade of the pairs of texts that the version has
    labelled.

    Args:
        labels: of one version.
        pairs: of `add_pair_texts`; only labels that share a query text with it are looked at.
    """
    asked = pairs.select("text_key").distinct()
    texts = query_texts(queries).select("query_id", "text_key")
    return (
        labels.join(texts.join(asked, on="text_key", how="left_semi"), on="query_id", how="inner")
        .join(item_texts(items).select("item_id", "item_key"), on="item_id", how="inner")
        .groupBy(*TEXT_PAIR)
        .agg(F.max(F.struct(*_KEPT)).alias("known"))
        .select(*TEXT_PAIR, "known.*")
    )


def rank_sizes(texts: DataFrame) -> dict[int, int]:
    """Rank -> pairs of texts; at most MOST_SHOWN + 1 ranks."""
    return {int(r["rank"]): int(r["count"]) for r in texts.groupBy("rank").count().collect()}


def plan_chunks(sizes: Mapping[int, int], chunk: int) -> Plan:
    """Cut ranks, most shown first, into chunks of about `chunk` pairs of texts.

    Small ranks share a chunk, large ones are cut by hash: which chunk a pair is in depends on
    nothing but its texts and its rank.
    """
    steps: list[Step] = []
    filled: list[int] = []
    for rank in sorted(sizes, reverse=True):
        size = sizes[rank]
        if filled and filled[-1] + size <= chunk:
            filled[-1] += size
            steps.append(Step(rank, len(filled) - 1, 1))
            continue
        parts = -(-size // chunk)
        steps.append(Step(rank, len(filled), parts))
        filled += [size // parts + (i < size % parts) for i in range(parts)]
    return Plan(tuple(steps), tuple(filled))


def with_chunk(texts: DataFrame, plan: Plan, seed: int) -> DataFrame:
    """Add the chunk of each pair of texts."""
    rows = [(step.shown, step.first_chunk, step.parts) for step in plan.steps]
    steps = texts.sparkSession.createDataFrame(rows, "rank int, first int, parts int")
    part = F.pmod(draw_hash(seed, "label/chunk", *TEXT_PAIR), F.col("parts"))
    return (
        texts.join(F.broadcast(steps), on="rank", how="inner")
        .withColumn("chunk", (F.col("first") + part).cast("int"))
        .drop("first", "parts")
    )


def label_rows(
    answered: DataFrame,
    source: str,
    version: str,
    prompt_hash: str | None,
    run_date: date,
    simulated: bool,
) -> DataFrame:
    """Make rows of relevance_labels: an answer to a pair of texts goes to all pairs that share it.

    Args:
        answered: members, p_ge_1, p_ge_2, grade.
        source: of `features.labels.judged.source_of`.
    """
    rows = answered.select(F.explode("members").alias("pair"), *_KEPT).select("pair.*", *_KEPT)
    constants = {
        "source": F.lit(source),
        "labeler_version": F.lit(version),
        "prompt_hash": F.lit(prompt_hash).cast("string"),
        "labelled_at": F.lit(run_date).cast("timestamp"),
        "simulated": F.lit(simulated),
    }
    return RELEVANCE_LABELS.conform(rows.withColumns(constants))


def quarantine_rows(pairs: DataFrame, rule: str, version: str, run_date: date) -> DataFrame:
    """Make rows of the quarantine for pairs (query_id, item_id, reason) that got no label."""
    return pairs.select(
        F.lit(run_date).alias("run_date"),
        F.lit(RELEVANCE_LABELS.name).alias("table_name"),
        F.lit(f"labeler {version}").alias("dataset"),
        F.lit(rule).alias("rule"),
        "reason",
        F.to_json(F.struct(*PAIR)).alias("raw_row"),
    )


def _find_reason() -> Column:
    no_text = F.col("query_text").isNull() | (F.trim("query_text") == "")
    unknown = F.col("item_text").isNull()
    return (
        F.when(no_text, "the query has no text")
        .when(unknown, "the item is not in table items")
        .when(F.trim("item_text") == "", "the item has no text")
    )
