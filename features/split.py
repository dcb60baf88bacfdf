"""The one definition of the query split: which bucket a query text falls into."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def normalise_text(text: Column) -> Column:
    """Normalise the text for its hash: no blanks around it, lower case."""
    return F.lower(F.trim(text))


def assign_bucket(text: Column, buckets: int) -> Column:
    """Return crc32(lower(trim(text))) % buckets, an int in 0 .. buckets - 1; null for a null text.

    A query has the same bucket in every region, so its text is never in train and test at once.
    """
    return (F.crc32(normalise_text(text)) % buckets).cast("int")
