"""The type of an item: the source's, or derived from its title.

A title begins with brand and make, and says what the item is just before its first `with`,
`without`, `for`, `in`, `by`, comma, bracket or dash: "Acme 6 ft. Steel Garden Hose with Nozzle"
is a `garden hose`. So the words before that point, without numbers, units and colours, are cut to
endings of one to three words, and the longest ending that enough titles of the catalogue share is
the type: the lexicon is the catalogue's own. Without a shared ending it is the last word.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.audit import TaxonomyConf
from features.text.normal_form import COLOURS, UNITS, normal_text

_STOP = r"(?i)\s(?:with|without|for|in|by)\s|[,;(\[]|\s[-–—]\s"
_MAX_WORDS = 3
"""Words of a type at most: longer endings mostly name single products."""
_NO_TYPE = (*(unit for unit, _ in UNITS), *COLOURS)


def item_types(items: DataFrame, conf: TaxonomyConf) -> DataFrame:
    """Return item_id and item_type (lower case; null where neither the source nor the title tells).

    Args:
        items: rows of the items table.
    """
    source_type = F.nullif(F.lower(F.trim("item_type")), F.lit(""))
    if conf.types == "source":
        named = items.where(source_type.isNotNull()).select(
            "item_id", source_type.alias("item_type")
        )
        unnamed = items.where(source_type.isNull())
        return named.unionByName(derived_types(unnamed, items, conf.min_type_items))
    return derived_types(items, items, conf.min_type_items)


def derived_types(items: DataFrame, catalogue: DataFrame, min_items: int) -> DataFrame:
    """Derive item_type from titles, by a lexicon of the endings of the catalogue's titles.

    Args:
        items: item_id, title.
        catalogue: title; the items whose endings are counted.
        min_items: an ending of two or three words needs so many titles.
    """
    # Through an array of one, the words are found once, not once per ending.
    phrase = F.array(_extract_phrase(F.col("title")))
    endings = F.explode_outer(F.flatten(F.transform(phrase, _cut_endings)))
    counted = (
        catalogue.select(endings.alias("ending"))
        .where("ending IS NOT NULL")
        .groupBy("ending")
        .agg(F.count(F.lit(1)).alias("titles"))
    )
    words = F.size(F.split("ending", " "))
    is_type = (words == 1) | (F.col("titles") >= min_items)
    return (
        items.select("item_id", endings.alias("ending"))
        .join(counted, on="ending", how="left")
        .groupBy("item_id")
        .agg(F.max_by("ending", F.when(is_type, words)).alias("item_type"))
    )


def _extract_phrase(title: Column) -> Column:
    """Extract the last words (array) before the first stop, without numbers, units and colours."""
    before = F.get(F.split(title, _STOP, 2), F.lit(0))
    words = F.split(normal_text(before), " ")
    return F.filter(words, lambda word: _is_word(word))


def _is_word(word: Column) -> Column:
    return word.rlike(r"^\p{L}{2,}$") & ~word.isin(*_NO_TYPE)


def _cut_endings(words: Column) -> Column:
    """Cut the last one, two and three words (array<string>)."""
    count = F.size(words)
    sizes = F.sequence(F.lit(1), F.least(count, F.lit(_MAX_WORDS)))
    endings = F.transform(
        sizes, lambda size: F.concat_ws(" ", F.slice(words, count - size + 1, size))
    )
    return F.when(count > 0, endings).otherwise(F.array().cast("array<string>"))
