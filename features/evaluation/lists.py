"""Result pages as lists, the gains of their items, and the block of a query."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.value import Weights
from features.contracts.training import TASKS
from features.draws import draw_hash
from features.evaluation.rankers import weigh_engagement
from features.text.texts import text_key


def with_block(queries: DataFrame, seed: int, blocks: int) -> Callable[[DataFrame], DataFrame]:
    """Add `block`: a hash of the query's text, so that a text's regions are drawn together."""
    texts = queries.select("query_id", text_key(F.col("query_text")).alias("text"))
    text = F.coalesce("text", "query_id")
    block = F.pmod(draw_hash(seed, "block", text), F.lit(blocks)).cast("int")

    def transform(rows: DataFrame) -> DataFrame:
        joined = rows.join(texts, on="query_id", how="left")
        return joined.withColumn("block", block).drop("text")

    return transform


def relevance_gains(grade: Column) -> dict[str, Column]:
    """Return the gains 2^grade - 1 (`exp`) and the grade itself (`linear`)."""
    linear = grade.cast("double")
    return {"exp": F.pow(F.lit(2.0), linear) - 1.0, "linear": linear}


def select_pages(rows: DataFrame) -> DataFrame:
    """Select the rows that were shown as lists, one per result page (`unit`)."""
    return rows.where(F.col("search_id").isNotNull()).withColumn("unit", F.col("search_id"))


def mask_label(task: str) -> Column:
    """Return a task's engagement label, null where its mask says that it is not known."""
    return F.when(F.col(f"mask_{task}") > 0, F.col(f"label_{task}").cast("double"))


def engagement_gains(weights: Mapping[str, Weights], default: Weights) -> dict[str, Column]:
    """Return the gains of a page as logged: `click`, `cart`, `purchase` and their weighted sum
    `combined`.

    Shoppers click only what they examine, so logged clicks favour the logger's own order;
    `features.evaluation.weighed` corrects that.
    """
    gains = {task: mask_label(task) for task in TASKS}
    gains["combined"] = weigh_engagement(weights, default, list(gains.values()))
    return gains


def examination_at_position(curve: list[float]) -> Column:
    """Look up the relative examination of the row's `position`; beyond the curve its last value
    holds.
    """
    values = F.array(*(F.lit(float(v)) for v in curve))
    index = F.least(F.col("position").cast("int"), F.lit(len(curve))) - 1
    return F.get(values, F.greatest(index, F.lit(0)))
