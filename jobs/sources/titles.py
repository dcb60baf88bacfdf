"""What a product title says by simple rules: kind of product, colour, size, material."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_ENDS = r" in | with | without | for | by | featuring | - |,|\(|-discontinued"
_GENERIC = "kit|set|pack|system|unit|assembly|collection|accessory|part|combo|bundle"
_NO_NOUNS = "in|ft|gal|oz|lb|sq|cu|amp|quot|series|model|style"
_COLOURS = (
    "black|white|gray|grey|blue|brown|red|green|beige|yellow|pink|orange|purple|silver|gold|"
    "bronze|chrome|nickel|espresso|almond|ivory|tan|cherry"
)
_MATERIALS = (
    "stainless steel|galvanized steel|steel|aluminum|brass|copper|iron|vinyl|pvc|plastic|oak|"
    "pine|cedar|maple|bamboo|wood|glass|ceramic|porcelain|marble|granite|concrete|rubber|nylon|"
    "cotton|leather|polyester"
)
_UNITS = r"in|ft|gal|oz|lb|sq\.? ft|cu\.? ft|watt|volt|amp|light|piece|pack"


def head_noun(title: Column) -> Column:
    """Find the kind of product: the last word before the first preposition, comma, bracket or dash.

    "Delta Vero 1-Handle Shower Only Faucet Trim Kit in Chrome" gives "trim kit": a word such as
    kit or set takes the word before it along. Singular, lower case; null where no word is left.
    """
    lowered = F.lower(title)
    before = F.regexp_extract(lowered, rf"^(.*?)(?:{_ENDS}|$)", 1)
    worded = F.regexp_replace(before, r"[^a-z]+", " ")
    words = F.trim(F.regexp_replace(worded, rf"\b(?:{_NO_NOUNS}|{_COLOURS})\b", " "))
    words = F.regexp_replace(words, r" +", " ")
    pair = F.regexp_extract(words, rf"(\S+ (?:{_GENERIC})s?)$", 1)
    last = F.regexp_extract(words, r"(\S\S+)$", 1)
    noun = F.coalesce(_or_null(pair), _or_null(last))
    return F.regexp_replace(noun, r"(?<=[a-z]{2}[^s])s$", "")


def colour_in(title: Column) -> Column:
    """Find the first colour or finish that the title names, lower case; null where none."""
    return _extract_first(title, rf"\b({_COLOURS})\b")


def material_in(title: Column) -> Column:
    """Find the first material that the title names, lower case; null where none."""
    return _extract_first(title, rf"\b({_MATERIALS})\b")


def size_in(title: Column) -> Column:
    """Find the first number with a unit, as "3/4 in" or "5 ft"; null where none."""
    pattern = rf"\b(\d+(?:[-/.]\d+)*)[ -]({_UNITS})\b"
    number = F.regexp_extract(F.lower(title), pattern, 1)
    unit = F.regexp_replace(F.regexp_extract(F.lower(title), pattern, 2), r"\.", "")
    return F.when(number != "", F.concat_ws(" ", number, unit))


def _extract_first(title: Column, pattern: str) -> Column:
    return _or_null(F.regexp_extract(F.lower(title), pattern, 1))


def _or_null(text: Column) -> Column:
    return F.nullif(text, F.lit(""))
