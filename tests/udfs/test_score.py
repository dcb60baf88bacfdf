"""Scoring: the arrays of a query through the UDFs equal the plain prediction, row by row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from chispa import assert_df_equality
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.model import ModelConf
from jobs.command.causes import cause_line
from model.ranker import build_ranker
from model.serving.artifact import Artifact, load_model, save_model
from model.serving.calibrators import build_identities
from model.spec import InputFeature, InputSpec
from model.standardise import Standardisation
from model.value.weights import ValueWeights, WeightTable
from udfs.model_files import ModelFilesError, model_version
from udfs.score import score_dataframe, score_series, score_udf
from udfs.score_rows import INPUT, SCHEMA, score_batch, score_files, score_rows
from udfs.scoring import OUTPUTS, ScoringError, as_matrix, score_candidates

WEIGHTS = WeightTable(ValueWeights(0.5, 0.25, 0.25, 1.0), {"fr": ValueWeights(1.0, 0, 0, 0)})
SPEC = InputSpec(
    (
        InputFeature("region_index", "query", "category", buckets=3),
        InputFeature("query_chars", "query"),
        InputFeature("item_log_price", "item"),
        InputFeature("pair_bm25", "query_item"),
    ),
    ("click", "cart", "purchase"),
    ("us", "fr"),
)
QUERY, CANDIDATE = 2, 2


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained model."""
    torch.manual_seed(1)
    scale = Standardisation(
        dict.fromkeys(SPEC.names, 0.0), dict.fromkeys(SPEC.names, 1.0), {"click": 0.2}, 1
    )
    conf = ModelConf(hidden=(8,), tower=(4,))
    folder = tmp_path_factory.mktemp("models") / "2026-03-01"
    calibrators = build_identities(SPEC.outputs, SPEC.regions)
    save_model(Artifact(build_ranker(SPEC, scale, conf), scale, conf, calibrators), folder)
    return folder


class Fixed:
    """Predicts its first candidate feature as every probability."""

    def predict_candidates(self, query: Any, candidate: Any, counts: Any) -> dict[str, Any]:
        assert len(query) == len(counts) and len(candidate) == counts.sum()
        return dict.fromkeys(
            ("p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2"), candidate[:, 0]
        )


def test_value_and_rank_by_region() -> None:
    scored = score_candidates(
        Fixed(),
        WEIGHTS,
        np.zeros((3, 1), np.float32),
        np.asarray([[0.5], [0.25], [0.5], [0.125], [0.25]], np.float32),
        np.asarray([2, 0, 3]),
        ["us", "us", "fr"],
    )
    # us: p * (0.5 + 0.25 + 0.25 + 1 * 2 / 2); fr: p
    assert scored["value"].tolist() == [1.0, 0.5, 0.5, 0.125, 0.25]
    assert scored["rank"].tolist() == [1, 2, 1, 3, 2]
    assert scored["relevance"].tolist() == [1.0, 0.5, 1.0, 0.25, 0.5]


@pytest.mark.parametrize(("values", "rows"), [(5, 2), (3, 0)])
def test_arrays_that_do_not_fit_the_candidates_are_refused(values: int, rows: int) -> None:
    with pytest.raises(ScoringError, match="are not"):
        as_matrix(np.zeros(values, np.float32), rows, "candidate_values")


def test_pandas_and_arrow_forms_agree() -> None:
    counts, regions = [2, 0, 1], ["us", "fr", "atlantis"]
    query = [[0.0], [0.0], [0.0]]
    candidate = [[0.25, 9.0, 0.5, 9.0], [], [0.125, 9.0]]
    cells = {
        "query_values": [np.asarray(c, np.float32) for c in query],
        "candidate_values": [np.asarray(c, np.float32) for c in candidate],
    }
    by_query = score_series(
        Fixed(),
        WEIGHTS,
        pd.Series(counts),
        pd.Series(cells["query_values"]),
        pd.Series(cells["candidate_values"]),
        pd.Series(regions),
    )
    floats = pa.list_(pa.float32())
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array(["q1", "q2", "q3"]),
            pa.array(regions),
            pa.array([["a", "b"], [], ["c"]]),
            pa.array(cells["query_values"], floats),
            pa.array(cells["candidate_values"], floats),
        ],
        names=list(INPUT),
    )
    by_row = score_batch(Fixed(), WEIGHTS, batch.slice(0, 3)).to_pandas()
    assert by_row[["query_id", "region", "item_id"]].to_numpy().tolist() == [
        ["q1", "us", "a"],
        ["q1", "us", "b"],
        ["q3", "atlantis", "c"],
    ]
    for name in OUTPUTS:
        assert np.concatenate(by_query[name].to_list()).tolist() == by_row[name].tolist()
    assert score_batch(Fixed(), WEIGHTS, batch.slice(1, 2)).num_rows == 1
    assert score_batch(Fixed(), WEIGHTS, batch.slice(0, 0)).num_rows == 0


def wide(spark: SparkSession, queries: int = 3, items: int = 4) -> DataFrame:
    return spark.range(queries * items).select(
        F.concat(F.lit("q"), F.col("id") % queries).alias("query_id"),
        F.when(F.col("id") % queries == 0, "us").otherwise("fr").alias("region"),
        F.concat(F.lit("i"), (F.col("id") / queries).cast("int")).alias("item_id"),
        (F.when(F.col("id") % queries == 0, 1).otherwise(2)).cast("float").alias("region_index"),
        (F.col("id") % queries).cast("float").alias("query_chars"),
        (F.sin("id")).cast("float").alias("item_log_price"),
        (F.cos("id")).cast("float").alias("pair_bm25"),
        F.col("id").alias("row"),
    )


def expected(df: DataFrame, model_dir: Path) -> pd.DataFrame:
    rows = df.toPandas().sort_values(["query_id", "item_id"], ignore_index=True)
    predicted = load_model(model_dir).predict(rows[SPEC.names].to_numpy(np.float32))
    return rows.assign(**predicted)


def test_a_dataframe_scored_in_spark_equals_the_plain_prediction(
    spark: SparkSession, model_dir: Path
) -> None:
    df = wide(spark)
    found = score_dataframe(df, model_dir, WEIGHTS).toPandas()
    assert list(found.columns) == ["query_id", "region", "item_id", "row", *OUTPUTS]
    found = found.sort_values(["query_id", "item_id"], ignore_index=True)
    plain = expected(df, model_dir)
    assert found["row"].tolist() == plain["row"].tolist()
    for name in ("p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2", "relevance"):
        np.testing.assert_allclose(found[name], plain[name], rtol=1e-5)
    by_value = found.sort_values(["query_id", "value"], ascending=[True, False])
    assert by_value["rank"].tolist() == [1, 2, 3, 4] * 3


def pack(features: DataFrame) -> DataFrame:
    """Make scoring rows of `wide`."""
    return features.groupBy("query_id", "region").agg(
        F.sort_array(F.collect_list("item_id")).alias("item_ids"),
        F.first(F.array("region_index", "query_chars")).alias("query_values"),
        F.flatten(
            F.transform(
                F.sort_array(F.collect_list(F.struct("item_id", "item_log_price", "pair_bm25"))),
                lambda c: F.array(c.item_log_price, c.pair_bm25),
            )
        ).alias("candidate_values"),
    )


def test_packed_rows_give_what_the_udf_gives(spark: SparkSession, model_dir: Path) -> None:
    rows = pack(wide(spark))
    arrow = score_rows(rows, model_dir, WEIGHTS.to_json())
    assert arrow.schema.names == [column.split()[0] for column in SCHEMA.split(", ")]
    score = score_udf(model_dir, WEIGHTS.to_json())
    arrays = rows.select(
        "query_id",
        "item_ids",
        score(F.size("item_ids"), "query_values", "candidate_values", "region").alias("s"),
    ).select("query_id", F.inline(F.arrays_zip("item_ids", "s.value", "s.rank")))
    one = {(r.query_id, r.item_id): (r.value, r.rank) for r in arrow.collect()}
    two = {(r[0], r[1]): (r[2], r[3]) for r in arrays.collect()}
    assert one == two and len(one) == 12


def test_files_that_workers_read_give_what_rows_give(
    spark: SparkSession, model_dir: Path, tmp_path: Path
) -> None:
    rows = pack(wide(spark)).withColumn("other", F.lit("x"))
    table = pa.Table.from_pandas(rows.orderBy("query_id").toPandas())
    paths = [tmp_path / "of two groups.parquet", tmp_path / "of one.parquet", tmp_path / "empty"]
    pq.write_table(table.slice(0, 2), paths[0], row_group_size=1)
    pq.write_table(table.slice(2), paths[1])
    pq.write_table(table.slice(0, 0), paths[2])
    by_files = score_files(spark, paths, 1, model_dir, WEIGHTS.to_json())
    by_rows = score_rows(rows, model_dir, WEIGHTS.to_json())
    assert_df_equality(by_files, by_rows, ignore_row_order=True)
    assert by_files.count() == 12


def test_a_file_of_rows_that_cannot_be_read_is_named(
    spark: SparkSession, model_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "damaged").write_bytes(b"PAR1 no Parquet file PAR1")
    for path, cause in ((tmp_path / "gone", "FileNotFoundError"), (tmp_path / "damaged", "Arrow")):
        with pytest.raises(PythonException) as raised:
            score_files(spark, [path], 1, model_dir, WEIGHTS.to_json()).collect()
        line = cause_line(raised.value)
        assert line.startswith(f"ScoringError: file {path} of scoring_rows"), line
        assert cause in line and "`counterpoise build_scoring_rows`" in line


def test_missing_columns_and_folders_are_named(
    spark: SparkSession, model_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ScoringError, match="pair_bm25"):
        score_dataframe(wide(spark).drop("pair_bm25"), model_dir)
    with pytest.raises(ModelFilesError, match=r"it has no manifest\.json"):
        model_version(tmp_path)
