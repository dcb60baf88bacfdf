"""One normal form of text for queries and items, in Spark's built-in functions.

All functions take and return columns. A text becomes lower case; entities, number separators and
units take one spelling (`6-foot`, `6 ft.` and `6'` are all `6 ft`); the `x` between two sizes
goes; English plurals lose their ending. Tokens are runs of unicode letters, marks and digits, or
one number with its fraction (`1/2`, `2.5`).
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

_END = r"(?![\p{L}\p{N}])"
UNITS: tuple[tuple[str, str], ...] = (
    ("in", r"inches|inch|in\.|in|\"|″|''"),
    ("ft", r"feet|foot|ft\.|ft|'|′"),
    ("yd", r"yards?|yds?\.?"),
    ("mm", r"millimet(?:er|re)s?|mm\.?"),
    ("cm", r"centimet(?:er|re)s?|cm\.?"),
    ("lb", r"pounds?|lbs?\.?"),
    ("oz", r"ounces?|oz\.?"),
    ("gal", r"gallons?|gals?\.?"),
    ("qt", r"quarts?|qts?\.?"),
    ("w", r"watts?|w"),
    ("v", r"volts?|v"),
    ("amp", r"amperes?|amps?\.?"),
    ("pk", r"packs?|pk|counts?|ct|pieces?|pcs?"),
)
_ENTITIES = (
    (r"&quot;|&#34;", '"'),
    (r"&apos;|&#39;|’", "'"),
    (r"&[a-z]+;|&#\d+;", " "),
)
_NUMBERS = (
    (r"(?<=\d),(?=\d{3}(?!\d))", ""),
    (r"(?<!\p{L})[x×*]\s*(?=\.?\d)", " "),
)
_PLURALS = (
    (r"(?<=\p{L}{2})ies" + _END, "y"),
    (r"(?<=ss|sh|ch|x)es" + _END, ""),
    (r"(?<=\p{L}{2}[\p{L}&&[^sui]])s" + _END, ""),
)
_TOKEN = r"\d+(?:[./]\d+)+|[\p{L}\p{M}\p{N}]+"
_MEASURE = rf"(?:\d+[./])?\d+ (?:{'|'.join(unit for unit, _ in UNITS)})" + _END

COLOURS: tuple[str, ...] = (
    *("black", "white", "grey", "gray", "silver", "red", "orange", "yellow", "gold", "green"),
    *("blue", "navy", "teal", "turquoise", "purple", "violet", "pink", "brown", "beige"),
    *("ivory", "cream", "bronze", "copper", "tan"),
)


def normal_text(text: Column) -> Column:
    """Return the normal form of a text: tokens joined by one space; '' for null."""
    return F.concat_ws(" ", split_tokens(text))


def split_tokens(text: Column) -> Column:
    """Split a text into its tokens (array<string>), in order, repeated ones kept;
    empty for null.
    """
    return F.regexp_extract_all(_normalise_spelling(text), F.lit(_TOKEN), F.lit(0))


def select_numbers(token_array: Column) -> Column:
    """Select the distinct tokens that are numbers (array<string>)."""
    return F.array_distinct(F.filter(token_array, lambda token: token.rlike(r"^[\d./]+$")))


def extract_measures(token_array: Column) -> Column:
    """Extract the distinct numbers with a unit, e.g. `6 ft` (array<string>)."""
    joined = F.concat_ws(" ", token_array)
    return F.array_distinct(F.regexp_extract_all(joined, F.lit(_MEASURE), F.lit(0)))


def extract_trigrams(token_array: Column) -> Column:
    """Extract the distinct character trigrams of the tokens, each with a space around
    (array<string>).
    """
    padded = F.concat(F.lit(" "), F.concat_ws(" ", token_array), F.lit(" "))
    # Through an array of one, the text is put together once, not once per trigram.
    cut = F.flatten(F.transform(F.array(padded), _cut_triples))
    empty = F.array().cast("array<string>")
    return F.when(F.size(token_array) > 0, F.array_distinct(cut)).otherwise(empty)


def basic_colours(token_array: Column) -> Column:
    """Select the basic colour words among the tokens (array<string>); `grey`
    stands for `gray` too.
    """
    named = F.array_intersect(token_array, F.array(*map(F.lit, COLOURS)))
    return F.array_distinct(F.transform(named, _one_grey))


def text_key(query_text: Column) -> Column:
    """Return what makes two query texts the same text: lower(trim(text)), as in the query split."""
    return F.lower(F.trim(query_text))


def item_title(title: Column, brand: Column) -> Column:
    """Return the title, led by the brand where the title does not contain it: the
    encoder's text.
    """
    return F.concat_ws(" ", _unless_contained(brand, title), title)


def item_text(title: Column, brand: Column, item_type: Column) -> Column:
    """Return title, brand and type, none of them twice: the lexical text of an item."""
    return F.concat_ws(" ", item_title(title, brand), _unless_contained(item_type, title))


def encoder_text(text: Column) -> Column:
    """Return the text as the uncased encoder sees it: lower case, single spaces; '' for null."""
    return F.coalesce(F.trim(F.regexp_replace(F.lower(text), r"\s+", " ")), F.lit(""))


def text_hash(text: Column) -> Column:
    """Return sha256 (hex) of `encoder_text`: the key of an embedding."""
    return F.sha2(encoder_text(text), 256)


def hashed_category(value: Column, buckets: int) -> Column:
    """Return 1 + xxhash64(lower(trim(value))) mod (buckets - 1); 0 where the value is null or
    empty.
    """
    name = F.lower(F.trim(value))
    bucket = F.pmod(F.xxhash64(name), F.lit(buckets - 1)) + 1
    return F.when(F.length(name) > 0, bucket).otherwise(F.lit(0))


def _normalise_spelling(text: Column) -> Column:
    spelt = F.coalesce(F.lower(text), F.lit(""))
    for pattern, replacement in (*_ENTITIES, *_NUMBERS):
        spelt = F.regexp_replace(spelt, pattern, replacement)
    for unit, spellings in UNITS:
        spelt = F.regexp_replace(spelt, rf"(\d)\s*-?\s*(?:{spellings}){_END}", f"$1 {unit} ")
    spelt = F.regexp_replace(spelt, r"(?<=\p{L})'(?=s" + _END + ")", "")
    for pattern, replacement in _PLURALS:
        spelt = F.regexp_replace(spelt, pattern, replacement)
    return spelt


def _cut_triples(text: Column) -> Column:
    starts = F.sequence(F.lit(1), F.length(text) - 2)
    return F.transform(starts, lambda at: F.substr(text, at, F.lit(3)))


def _one_grey(colour: Column) -> Column:
    return F.when(colour == "gray", F.lit("grey")).otherwise(colour)


def _unless_contained(part: Column, text: Column) -> Column:
    """Return `part`, or null where `text` already contains it (case ignored)."""
    return F.when(~F.contains(F.lower(text), F.lower(F.trim(part))), F.trim(part))
