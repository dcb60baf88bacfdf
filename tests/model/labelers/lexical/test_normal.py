"""The normal form in Python is that of Spark, on the same texts."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.text import normal_form as spark_text
from model.labelers.lexical.normal import (
    COLOURS,
    UNITS,
    find_colours,
    find_measures,
    find_numbers,
    find_trigrams,
    split_tokens,
)

TEXTS = (
    "6-foot ladder",
    "6 ft. Ladders",
    "2 in. x 4 in. x 8 ft. Stud",
    "2x4x8 studs, 2 x 4 x .75",
    "12\"x10' rugs",
    "1-1/2 in. pipe &amp; 2.5 amps &#34;x&#34;",
    "1,000 lbs and 12,34 and 3 pcs",
    "Men's dresses, batteries, boxes, gas bus glass bushes lies",
    "DCD771C2 x-ray 9x9",
    "CAFÉ हिन्दी ñandú ЛЕСТНИЦЫ 梯子 🪜 ½ ² ４in",
    "grey and gray and red, tan",
    "60w 120 volts 5 gal. 3 qts 10' 4''",
    "!!!",
    "  \t\n",
    "",
)


def test_rules_are_the_same() -> None:
    assert (UNITS, COLOURS) == (spark_text.UNITS, spark_text.COLOURS)


def test_every_text_becomes_the_same(spark: SparkSession) -> None:
    texts = spark.createDataFrame([(text,) for text in TEXTS], "text string")
    split = texts.select(spark_text.split_tokens(F.col("text")).alias("tokens")).collect()
    words = F.col("tokens")
    rows = (
        spark.createDataFrame(split, "tokens array<string>")
        .select(
            "tokens",
            spark_text.select_numbers(words).alias("numbers"),
            spark_text.extract_measures(words).alias("measures"),
            spark_text.extract_trigrams(words).alias("trigrams"),
            spark_text.basic_colours(words).alias("colours"),
        )
        .collect()
    )
    assert len(rows) == len(TEXTS)
    for text, row in zip(TEXTS, rows, strict=True):
        own = split_tokens(text)
        assert own == row["tokens"]
        assert find_numbers(own) == row["numbers"]
        assert find_measures(own) == row["measures"]
        assert find_trigrams(own) == row["trigrams"]
        assert find_colours(own) == row["colours"]
