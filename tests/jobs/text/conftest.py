"""A shop with an empty warehouse."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.jobs.text.shop import Shop, TableFrame


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path, tiny_encoder: str, table_frame: TableFrame) -> Shop:
    return Shop(spark, tmp_path / "shop", tiny_encoder, table_frame)
