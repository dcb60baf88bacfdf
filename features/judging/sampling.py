"""The pairs that are most worth a rater's time.

Three reasons: `contradicted` (the audit flagged the pair and left the grade, or could only guess),
`uncertain` (the model's probabilities are spread over the grades), `coverage` (drawn at random).
Each reason's share of the budget goes evenly over strata: region, head or tail, query length and
grade; within a stratum the worthiest first. A pair of one text and item is asked for once, whatever
the regions; one that raters answered before is not asked for again.
"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.audit import JudgingConf
from features.contracts import JUDGMENT_SAMPLE
from features.draws import draw_hash
from features.labels.grades import compute_grade_entropy
from features.labels.judged import MODEL_SOURCES
from features.log.history import visible_log
from features.text.texts import text_key

PAIR = ["query_id", "item_id"]
_UNSURE_PATHS = ("taxonomy_unknown", "model_agrees", "unread", "taxonomy_higher", "taxonomy_lower")


@dataclass(frozen=True)
class SamplingInputs:
    """Tables that the sample is drawn from; `audit` holds the newest decision of each pair.

    `answered` are rater_answers of earlier runs, or None.
    """

    labels: DataFrame
    audit: DataFrame | None
    queries: DataFrame
    items: DataFrame
    impressions: DataFrame
    answered: DataFrame | None


def build_pool(inputs: SamplingInputs, conf: Conf, run_date: date) -> DataFrame:
    """Build the pool: one row per text and item that raters may be asked for.

    Returns:
        the columns of JUDGMENT_SAMPLE but `reason` and `priority`, and `contradicted` (boolean).
    """
    askable = _known_pairs(inputs)
    if inputs.answered is not None:
        askable = askable.join(inputs.answered.select(*PAIR).distinct(), on=PAIR, how="left_anti")
    queries = inputs.queries.transform(
        lambda df: _with_segments(df, inputs.impressions, conf.judging, run_date)
    )
    one_region = Window.partitionBy("text_key", "item_id").orderBy(
        F.col("shown").desc(), "query_id"
    )
    stratum = F.concat_ws(
        "/", "region", "traffic", "length", F.coalesce(F.col("grade").cast("string"), F.lit("none"))
    )
    return (
        askable.join(queries, on="query_id", how="inner")
        .withColumn("_place", F.row_number().over(one_region))
        .where("_place = 1")
        .join(inputs.items.select("item_id", "title"), on="item_id", how="inner")
        .withColumn("stratum", stratum)
        .drop("_place", "text_key", "traffic", "length", "shown")
    )


def draw_sample(pairs: DataFrame, conf: Conf, run_date: date) -> DataFrame:
    """Draw the budget's rows from the pool, in the columns of JUDGMENT_SAMPLE.

    What `contradicted` and `uncertain` leave of their share goes to `coverage`.
    """
    judging = conf.judging
    chance = F.pmod(draw_hash(conf.seed, "judge", *PAIR), F.lit(10**9)) / 1e9
    drawn = pairs.withColumn("_chance", chance)
    contradicted = _take_best(
        drawn.where("contradicted").withColumn("priority", 1 - F.coalesce("q_value", F.lit(1.0))),
        "contradicted",
        round(judging.budget * judging.contradicted_share),
    )
    rest = drawn.join(contradicted.select(*PAIR), on=PAIR, how="left_anti")
    uncertain = _take_best(
        rest.where("entropy IS NOT NULL").withColumn("priority", F.col("entropy")),
        "uncertain",
        round(judging.budget * judging.uncertain_share),
    )
    taken = contradicted.unionByName(uncertain)
    coverage = _take_best(
        rest.join(uncertain.select(*PAIR), on=PAIR, how="left_anti").withColumn(
            "priority", F.col("_chance")
        ),
        "coverage",
        judging.budget,
    )
    order = F.when(F.col("reason") == "coverage", 1).otherwise(0)
    return (
        taken.unionByName(coverage)
        .orderBy(order, "_round", "_chance")
        .limit(judging.budget)
        .withColumn("run_date", F.lit(run_date))
        .transform(JUDGMENT_SAMPLE.conform)
    )


def _known_pairs(inputs: SamplingInputs) -> DataFrame:
    """Return query_id, item_id, grade, entropy, q_value and contradicted of every labelled pair."""
    human_first = F.struct(
        (F.col("source") == "human").cast("int"), "labelled_at", "labeler_version"
    )
    labels = inputs.labels.where("source != 'assumed'").groupBy(*PAIR)
    entropy = compute_grade_entropy(F.col("p_ge_1"), F.col("p_ge_2"))
    of_models = F.when(F.col("source").isin(*MODEL_SOURCES), entropy)
    pairs = labels.agg(
        F.max_by("grade", human_first).alias("grade"), F.max(of_models).alias("_entropy")
    )
    if inputs.audit is None:
        empty = {"q_value": F.lit(None).cast("double"), "contradicted": F.lit(False)}
        return pairs.withColumnRenamed("_entropy", "entropy").withColumns(empty)
    read = compute_grade_entropy(F.col("model_p_ge_1"), F.col("model_p_ge_2"))
    unsure = (F.col("flagged_by") != "none") & F.col("path").isin(*_UNSURE_PATHS)
    audited = inputs.audit.select(
        *PAIR, read.alias("_read"), "q_value", unsure.alias("_contradicted")
    )
    return pairs.join(audited, on=PAIR, how="left").select(
        *PAIR,
        "grade",
        F.coalesce("_read", "_entropy").alias("entropy"),
        "q_value",
        F.coalesce("_contradicted", F.lit(False)).alias("contradicted"),
    )


def _with_segments(
    queries: DataFrame, impressions: DataFrame, conf: JudgingConf, run_date: date
) -> DataFrame:
    """Add to queries their text_key, traffic, length and shown (impressions)."""
    shown = (
        visible_log(impressions, run_date).groupBy("query_id").agg(F.count(F.lit(1)).alias("shown"))
    )
    words = F.size(F.split(F.trim("query_text"), r"\s+"))
    return (
        queries.select("query_id", "query_text", "region")
        .join(shown, on="query_id", how="left")
        .withColumn("shown", F.coalesce("shown", F.lit(0)))
        .transform(lambda df: _with_traffic(df, conf.head_share))
        .withColumn("text_key", text_key(F.col("query_text")))
        .withColumn("length", F.when(words >= conf.long_query, "long").otherwise("short"))
    )


def _with_traffic(queries: DataFrame, head_share: float) -> DataFrame:
    """Add traffic: head for the most shown queries that make `head_share` of the impressions.

    The bound is found among the distinct counts, which are few beside the queries.
    """
    counts = queries.groupBy("shown").agg(F.sum("shown").alias("_all"))
    more = Window.partitionBy(F.lit(0)).orderBy(F.col("shown").desc())
    before = F.sum("_all").over(more.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    total = F.sum("_all").over(Window.partitionBy(F.lit(0)))
    is_head = (F.col("shown") > 0) & (before - F.col("_all") < head_share * total)
    traffic = F.when(is_head, "head").otherwise("tail")
    bounds = counts.select("shown", traffic.alias("traffic"))
    return queries.join(bounds, on="shown", how="inner")


def _take_best(pairs: DataFrame, reason: str, count: int) -> DataFrame:
    """Take `count` rows: the best of each stratum, then the second best of each, and so on."""
    within = Window.partitionBy("stratum").orderBy(F.col("priority").desc(), "_chance", *PAIR)
    return (
        pairs.withColumn("_round", F.row_number().over(within))
        .orderBy("_round", "_chance", *PAIR)
        .limit(count)
        .withColumn("reason", F.lit(reason))
    )
