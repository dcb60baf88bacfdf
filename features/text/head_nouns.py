"""What a text is about: the head noun of an item, the last word of a query."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from features.text.normal_form import UNITS, split_tokens

_QUALIFIER = r" in | with | without | for | by | featuring | - |,|\("
_NO_HEADS = tuple(unit for unit, _ in UNITS)


def item_head(title: Column, item_type: Column) -> Column:
    """Return the last word of the item's type, else of its title before the first qualifier.

    "Delta Single-Handle Faucet in Chrome" is a "faucet". Numbers and units are no words; '' where
    there is none.
    """
    named = F.nullif(query_head(split_tokens(item_type)), F.lit(""))
    before = F.regexp_extract(F.lower(title), rf"^(.*?)(?:{_QUALIFIER}|$)", 1)
    return F.coalesce(named, query_head(split_tokens(before)))


def query_head(token_array: Column) -> Column:
    """Return the last token that is a word, in English mostly what is asked for; '' for none."""
    words = F.filter(
        token_array, lambda token: token.rlike(r"^[\p{L}\p{M}]+$") & ~token.isin(*_NO_HEADS)
    )
    return F.coalesce(F.try_element_at(words, F.lit(-1)), F.lit(""))
