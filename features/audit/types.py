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
from conf.sections.language import LanguageConf
from features.text.texts import SplitTokens

_STOP = r"(?i)\s(?:with|without|for|in|by)\s|[,;(\[]|\s[-–—]\s"
_MAX_WORDS = 3
"""Words of a type at most: longer endings mostly name single products."""


def item_types(
    items: DataFrame, conf: TaxonomyConf, language: LanguageConf, split: SplitTokens
) -> DataFrame:
    """Return item_id and item_type (lower case; null where neither the source nor the title tells).

    Args:
        items: rows of the items table.
        split: splits a text into its tokens by the rules of `language`.
    """
    source_type = F.nullif(F.lower(F.trim("item_type")), F.lit(""))
    if conf.types == "source":
        named = items.where(source_type.isNotNull()).select(
            "item_id", source_type.alias("item_type")
        )
        unnamed = items.where(source_type.isNull())
    else:
        named, unnamed = None, items
    words = _extract_phrase(F.col("title"), language, split)
    derived = derived_types(
        unnamed.withColumn("phrase", words), items.withColumn("phrase", words), conf.min_type_items
    )
    return derived if named is None else named.unionByName(derived)


def derived_types(items: DataFrame, catalogue: DataFrame, min_items: int) -> DataFrame:
    """Derive item_type from titles, by a lexicon of the endings of the catalogue's titles.

    Args:
        items: item_id, phrase (array<string>).
        catalogue: phrase; the items whose endings are counted.
        min_items: an ending of two or three words needs so many titles.
    """
    endings = F.explode_outer(_cut_endings(F.col("phrase")))
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


def _extract_phrase(title: Column, language: LanguageConf, split: SplitTokens) -> Column:
    """Extract the words (array) before the first stop, without numbers, units and colours."""
    before = F.get(F.split(title, _STOP, 2), F.lit(0))
    no_types = [*language.units, *language.colours]
    return F.filter(split(before), lambda word: word.rlike(r"^\p{L}{2,}$") & ~word.isin(*no_types))


def _cut_endings(words: Column) -> Column:
    """Cut the last one, two and three words (array<string>)."""
    count = F.size(words)
    sizes = F.sequence(F.lit(1), F.least(count, F.lit(_MAX_WORDS)))
    endings = F.transform(
        sizes, lambda size: F.concat_ws(" ", F.slice(words, count - size + 1, size))
    )
    return F.when(count > 0, endings).otherwise(F.array().cast("array<string>"))
