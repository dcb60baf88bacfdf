"""Raters' answers: what a row must satisfy, and the grade that the answers of a pair make."""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.sections.audit import JudgingConf
from conf.sections.ingest import LabelsConf
from features.contracts import RATER_ANSWERS, RELEVANCE_LABELS
from features.quality.rule import RAW_ROW, REASON, RULE, Rule, judge_rows
from features.quality.typed import MALFORMED, quote_value
from features.text.texts import text_key

PAIR_CODE = "pair"
VERSION_PREFIX = "judging-"


def pair_code(query_id: Column, item_id: Column) -> Column:
    """Name a pair on a sheet by 16 hex digits of a hash of both ids, with no text in them."""
    return F.substring(F.sha2(F.concat_ws("\u0001", query_id, item_id), 256), 1, 16)


def checked_answers(raw: DataFrame, sample: DataFrame, run_date: date, dataset: str) -> DataFrame:
    """Return the answers as RATER_ANSWERS, with `dataset` and a verdict on every raw row.

    Of several rows of one rater for one pair the first is kept where all are equal, and none where
    they differ.

    Args:
        raw: text columns pair, rater, grade (and the line itself where it does not parse).
        sample: rows of judgment_sample of the run.
    """
    code = pair_code(F.col("query_id"), F.col("item_id")).alias(PAIR_CODE)
    number = F.col("grade_text").try_cast("double")
    read = raw.select(
        F.lower(F.trim(PAIR_CODE)).alias(PAIR_CODE),
        F.nullif(F.trim("rater"), F.lit("")).alias("rater"),
        F.nullif(F.trim("grade"), F.lit("")).alias("grade_text"),
        F.col(MALFORMED),
        F.coalesce(MALFORMED, F.to_json(F.struct(PAIR_CODE, "rater", "grade"))).alias(RAW_ROW),
    )
    rows = (
        read.join(F.broadcast(sample.select("query_id", "item_id", code)), PAIR_CODE, how="left")
        .withColumn("grade", F.when(number.isin(0.0, 1.0, 2.0), number.cast("int")))
        .withColumns({"run_date": F.lit(run_date), "dataset": F.lit(dataset)})
    )
    return judge_rows(_with_repeats(judge_rows(rows, _row_rules())), _repeat_rules()).select(
        *RATER_ANSWERS.column_names, "dataset", RULE, REASON, RAW_ROW
    )


def resolve_answers(answers: DataFrame, conf: JudgingConf) -> DataFrame:
    """Resolve the answers of each pair to one row of RESOLVED_JUDGMENTS.

    median: the middle answer, or the lower of two middle ones. majority: the most frequent answer,
    or the lowest of a tie. drop_spread: the median, or no grade where answers lie two grades apart.

    Args:
        answers: rows of rater_answers.
    """
    grades = F.array_sort(F.collect_list("grade"))
    middle = F.get("grades", F.floor((F.col("raters") - 1) / 2).cast("int"))
    spread = F.array_max("grades") - F.array_min("grades")
    enough = F.col("raters") >= conf.min_raters
    dropped = F.lit(conf.rule == "drop_spread") & (F.col("spread") >= 2)
    grade = _find_majority() if conf.rule == "majority" else middle
    return (
        answers.groupBy("run_date", "query_id", "item_id")
        .agg(
            grades.alias("grades"),
            F.count(F.lit(1)).cast("int").alias("raters"),
            F.avg("grade").alias("mean_grade"),
        )
        .withColumn("spread", spread)
        .withColumn("rule", F.lit(conf.rule))
        .withColumn(
            "outcome",
            F.when(~enough, "too few raters").when(dropped, "spread").otherwise("resolved"),
        )
        .withColumn("grade", F.when(F.col("outcome") == "resolved", grade))
    )


def judged_labels(
    judgments: DataFrame, queries: DataFrame, run_date: date, conf: LabelsConf
) -> DataFrame:
    """Make human labels of the resolved judgments, in the columns of RELEVANCE_LABELS.

    The version is `judging-<run date>`, so the labels of the source stay as they are, and
    labelled_at is the run date: of two human labels of a pair the later one is used. A grade holds
    for the queries of the same text in every region. With `labels.soft` the probabilities come from
    the mean answer e: P(>= 1) = min(1, e), P(>= 2) = max(0, e - 1).

    Args:
        judgments: rows of resolved_judgments.
        queries: rows of the queries table.
    """
    texts = queries.select("query_id", text_key(F.col("query_text")).alias("text_key"))
    answer = F.col("mean_grade") if conf.soft else F.col("grade").cast("double")
    graded = (
        judgments.where("grade IS NOT NULL")
        .join(texts, on="query_id", how="inner")
        .groupBy("text_key", "item_id")
        .agg(F.max_by(F.struct("grade", answer.alias("e")), "query_id").alias("judged"))
    )
    return (
        graded.join(texts, on="text_key", how="inner")
        .select("query_id", "item_id", "judged.*")
        .withColumns(
            {
                "source": F.lit("human"),
                "labeler_version": F.lit(f"{VERSION_PREFIX}{run_date.isoformat()}"),
                "p_ge_1": F.least(F.lit(1.0), F.col("e")),
                "p_ge_2": F.greatest(F.lit(0.0), F.col("e") - 1.0),
                "prompt_hash": F.lit(None).cast("string"),
                "labelled_at": F.lit(run_date).cast("timestamp"),
                "simulated": F.lit(False),
            }
        )
        .transform(RELEVANCE_LABELS.conform)
    )


def _find_majority() -> Column:
    """Find the most frequent of `grades`; of a tie the lowest: they are sorted,
    and the first wins.
    """
    counted = F.transform(
        F.array_distinct("grades"),
        lambda grade: F.struct(
            F.size(F.filter("grades", lambda other: other == grade)).alias("answers"),
            (-grade).alias("minus_grade"),
        ),
    )
    return -F.array_max(counted)["minus_grade"]


def _row_rules() -> list[Rule]:
    grade = F.col("grade_text")
    unreadable = grade.isNotNull() & F.col("grade").isNull()
    return [
        Rule("malformed_line", F.when(F.col(MALFORMED).isNotNull(), "the line does not parse")),
        Rule(
            "unknown_pair",
            F.when(F.col("query_id").isNull(), _describe_failure(PAIR_CODE, "not sampled")),
        ),
        Rule("no_rater", F.when(F.col("rater").isNull(), "rater is blank")),
        Rule("no_answer", F.when(grade.isNull(), "grade is blank")),
        Rule(
            "grade_in_range", F.when(unreadable, _describe_failure("grade_text", "not 0, 1 or 2"))
        ),
    ]


def _describe_failure(column: str, what: str) -> Column:
    return F.concat(
        F.lit("pair " if column == PAIR_CODE else "grade "),
        quote_value(F.col(column)),
        F.lit(f" is {what}"),
    )


def _with_repeats(df: DataFrame) -> DataFrame:
    """Add, over the rows of a rater for a pair that passed so far, `_place` and `_grades`."""
    same = Window.partitionBy(PAIR_CODE, "rater", F.col(RULE).isNull())
    passed = F.col(RULE).isNull()
    place = F.row_number().over(same.orderBy(RAW_ROW))
    grades = F.size(F.collect_set("grade").over(same))
    return df.withColumns({"_place": F.when(passed, place), "_grades": F.when(passed, grades)})


def _repeat_rules() -> list[Rule]:
    differ, repeated = F.col("_grades") > 1, F.col("_place") > 1
    return [
        Rule("answers_differ", F.when(differ, "the rater gave this pair different grades")),
        Rule("repeated", F.when(repeated & ~differ, "the rater gave this pair this grade already")),
    ]
