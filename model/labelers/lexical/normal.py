"""The normal form of `features.text.normal_form`, in Python: the same rules and results.

Spark's expressions cannot run inside a labeler, so the rules stand twice; a test holds the two
together on the same texts.
"""

import regex

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
UNIT_NAMES = frozenset(unit for unit, _ in UNITS)
COLOURS: tuple[str, ...] = (
    *("black", "white", "grey", "gray", "silver", "red", "orange", "yellow", "gold", "green"),
    *("blue", "navy", "teal", "turquoise", "purple", "violet", "pink", "brown", "beige"),
    *("ivory", "cream", "bronze", "copper", "tan"),
)
_COLOURS = frozenset(COLOURS)
_SPELLINGS = (
    (r"&quot;|&#34;", '"'),
    (r"&apos;|&#39;|’", "'"),
    (r"&[a-z]+;|&#[0-9]+;", " "),
    (r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", ""),
    (r"(?<!\p{L})[x×*][ \t\n\v\f\r]*(?=\.?[0-9])", " "),
    *(
        (rf"([0-9])[ \t\n\v\f\r]*-?[ \t\n\v\f\r]*(?:{spellings}){_END}", rf"\1 {unit} ")
        for unit, spellings in UNITS
    ),
    (r"(?<=\p{L})'(?=s" + _END + ")", ""),
    (r"(?<=\p{L}{2})ies" + _END, "y"),
    (r"(?<=ss|sh|ch|x)es" + _END, ""),
    (r"(?<=\p{L}{2}(?![sui])\p{L})s" + _END, ""),
)
_RULES = tuple((regex.compile(pattern), replacement) for pattern, replacement in _SPELLINGS)
_TOKEN = regex.compile(r"[0-9]+(?:[./][0-9]+)+|[\p{L}\p{M}\p{N}]+")
_NUMBER = regex.compile(r"[0-9./]+")
_MEASURE = regex.compile(rf"(?:[0-9]+[./])?[0-9]+ (?:{'|'.join(u for u, _ in UNITS)}){_END}")


def mend_text(text: str) -> str:
    """Put `?` in the place of halves of characters (lone surrogates), which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")


def split_tokens(text: str) -> list[str]:
    """Split a text into its tokens, in their order, repeated ones kept."""
    spelt = text.lower()
    for rule, replacement in _RULES:
        spelt = rule.sub(replacement, spelt)
    return list(_TOKEN.findall(spelt))


def is_number(token: str) -> bool:
    """Tell whether a token is a number, with its fraction or without."""
    return _NUMBER.fullmatch(token) is not None


def find_numbers(words: list[str]) -> list[str]:
    """List the distinct tokens that are numbers."""
    return [token for token in dict.fromkeys(words) if is_number(token)]


def find_measures(words: list[str]) -> list[str]:
    """List the distinct numbers with a unit, e.g. `6 ft`."""
    return list(dict.fromkeys(_MEASURE.findall(" ".join(words))))


def find_trigrams(words: list[str]) -> list[str]:
    """List the distinct character trigrams of the tokens, with a space around the whole."""
    padded = f" {' '.join(words)} "
    return list(dict.fromkeys(padded[at : at + 3] for at in range(len(padded) - 2 if words else 0)))


def find_colours(words: list[str]) -> list[str]:
    """List the basic colour words among the tokens; `grey` stands for `gray` too."""
    named = ("grey" if token == "gray" else token for token in words if token in _COLOURS)
    return list(dict.fromkeys(named))
