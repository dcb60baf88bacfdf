"""The query split is the one that the issue defines, in plain Python."""

import hashlib
import zlib

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.split import assign_bucket
from jobs.sources.base import query_key

TEXTS = ["", "Brass Lamp", " brass lamp ", "brass lamp", "ÉTAGÈRE 3/4 in.", "日本語", 'a "b" | c']


def test_bucket_is_crc32_of_the_normalised_text(spark: SparkSession) -> None:
    df = spark.createDataFrame([(t,) for t in TEXTS], "text string")
    found = [r[0] for r in df.select(assign_bucket(F.col("text"), 10)).collect()]
    assert found == [zlib.crc32(t.strip().lower().encode()) % 10 for t in TEXTS]
    assert found[1] == found[2] == found[3]


def test_query_key_is_sha256_of_text_and_region(spark: SparkSession) -> None:
    df = spark.createDataFrame([(t, r) for t in TEXTS for r in ("us", "uk")], "t string, r string")
    rows = df.withColumn("key", query_key(F.col("t"), F.col("r"))).collect()
    for row in rows:
        text = f"{row['t'].strip().lower()}|{row['r']}"
        assert row["key"] == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert len({row["key"] for row in rows}) == 2 * (len(TEXTS) - 2)
