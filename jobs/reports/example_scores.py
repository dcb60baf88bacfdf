"""A model's predictions on training examples; the examples of a page go to the model together."""

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import EXAMPLE_SCORES
from features.evaluation.rankers import BASELINES
from udfs.model_files import model_version, read_spec
from udfs.score import score_dataframe

PAGE = ("query_id", "region", "as_of_date", "search_id")


def predict_examples(examples: DataFrame, model_dir: Path) -> DataFrame:
    """Score rows of training_examples; gives rows of example_scores."""
    carried = [c for c in EXAMPLE_SCORES.column_names if c in examples.columns]
    columns = dict.fromkeys([*PAGE, *carried, *read_spec(model_dir).names])
    return (
        examples.select(
            *columns, *(F.col(source).alias(name) for name, source in BASELINES.items())
        )
        .transform(lambda df: score_dataframe(df, model_dir, group=PAGE))
        .withColumn("model_version", F.lit(model_version(model_dir)))
    )
