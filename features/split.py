"""The one definition of the query split: the bucket of a query text, and the split of a bucket."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.sections.platform import SplitConf
from features.lookup import Transform
from features.text.texts import text_key


def assign_bucket(text: Column, buckets: int) -> Column:
    """Return crc32(lower(trim(text))) % buckets, an int in 0 .. buckets - 1; null for a null text.

    A query has the same bucket in every region, so its text is never in train and test at once.
    """
    return (F.crc32(text_key(text)) % buckets).cast("int")


def with_split(split: SplitConf) -> Transform:
    """Add the split of a query's bucket; queries whose bucket is in no split are dropped."""
    bucket = F.col("bucket")
    name = (
        F.when(bucket.isin(*split.train), "train")
        .when(bucket.isin(*split.validation), "validation")
        .when(bucket.isin(*split.test), "test")
    )
    return lambda df: df.withColumn("split", name).where("split IS NOT NULL")
