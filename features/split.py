"""The one definition of the query split: which bucket a query text falls into."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from features.text.texts import text_key


def assign_bucket(text: Column, buckets: int) -> Column:
    """Return crc32(lower(trim(text))) % buckets, an int in 0 .. buckets - 1; null for a null text.

    A query has the same bucket in every region, so its text is never in train and test at once.
    """
    return (F.crc32(text_key(text)) % buckets).cast("int")
