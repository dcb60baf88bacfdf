"""Brings texts to one normal form, by the rules of a language.

A text becomes lower case; entities, number separators and units take one spelling (`6-foot`,
`6 ft.` and `6'` are all `6 ft`); the `x` between two sizes goes; plurals lose their ending. Tokens
are runs of Unicode letters, marks and digits, or one number with its fraction (`1/2`, `2.5`).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import regex

from conf.sections.language import LanguageConf, PluralEnding

_END = r"(?![\p{L}\p{N}])"
_SPACE = r"[ \t\n\v\f\r]*"
_KEPT_WORDS = 1 << 17
"""Words whose singular is kept (count): more than most catalogues have, some 20 MB."""
_ENTITIES = (
    (regex.compile(r"&quot;|&#34;"), '"'),
    (regex.compile(r"&apos;|&#39;|’"), "'"),
    (regex.compile(r"&[a-z]+;|&#[0-9]+;"), " "),
)
_SIZES = (rf"(?<!\p{{L}})[x×*]{_SPACE}(?=\.?[0-9])", " ")
_TOKEN = regex.compile(r"[0-9]+(?:[./][0-9]+)+|[\p{L}\p{M}\p{N}]+")
_DIGIT = regex.compile(r"[0-9]")
_NUMBER = regex.compile(r"[0-9./]+")
_WORD = regex.compile(r"[\p{L}\p{M}]+")
_NEVER = regex.compile(r"(?!)")


class TextRules:
    """The rules of one language, compiled."""

    def __init__(self, language: LanguageConf) -> None:
        """Compile the rules."""
        self.language = language
        self._of_numbers = _compile_number_rules(language)
        self._units = {name: unit for unit, names in language.units.items() for name in names}
        self._unit = _compile_units(self._units)
        self._possessive = _compile_possessive(language)
        self._plurals = [(_compile_plural(p), p.becomes) for p in language.plurals]
        self._measure = _compile_measures(language)
        self._title_end = _compile_title_end(language)
        self._colours = frozenset(language.colours)
        self._make_singular = lru_cache(maxsize=_KEPT_WORDS)(self._cut_plural)

    def split_tokens(self, text: str) -> list[str]:
        """Split a text into its tokens, in their order, repeated ones kept."""
        spelt = text.lower()
        if "&" in spelt or "’" in spelt:
            spelt = _replace_all(_ENTITIES, spelt)
        if _DIGIT.search(spelt):
            spelt = _replace_all(self._of_numbers, spelt)
            spelt = self._unit.sub(self._name_unit, spelt)
        if "'" in spelt:
            spelt = self._possessive.sub("", spelt)
        return [self._make_singular(token) for token in _TOKEN.findall(spelt)]

    def _name_unit(self, found: regex.Match[str]) -> str:
        return f"{found[1]} {self._units[found[2]]} "

    def _cut_plural(self, word: str) -> str:
        return _replace_all(self._plurals, word)

    def find_measures(self, words: Sequence[str]) -> list[str]:
        """List the distinct numbers with a unit, e.g. `6 ft`."""
        return list(dict.fromkeys(self._measure.findall(" ".join(words))))

    def find_colours(self, words: Sequence[str]) -> list[str]:
        """List the basic colour words among the tokens, each as the one that it is compared as."""
        same = self.language.same_colours
        return list(dict.fromkeys(same.get(w, w) for w in words if w in self._colours))

    def find_head(self, words: Sequence[str]) -> str:
        """Find the last token that is a word and no unit: in English mostly what a text is about;
        '' for none."""
        units = self.language.units
        return next((w for w in reversed(words) if _WORD.fullmatch(w) and w not in units), "")

    def cut_title(self, title: str) -> str:
        """Cut a title before the first word or mark that ends the name of the thing."""
        lower = title.lower()
        end = self._title_end.search(lower)
        return lower[: end.start()] if end else lower


def is_number(token: str) -> bool:
    """Tell whether a token is a number, with its fraction or without."""
    return _NUMBER.fullmatch(token) is not None


def find_numbers(words: Sequence[str]) -> list[str]:
    """List the distinct tokens that are numbers."""
    return [token for token in dict.fromkeys(words) if is_number(token)]


def find_trigrams(words: Sequence[str]) -> list[str]:
    """List the distinct character trigrams of the tokens, with a space around the whole."""
    padded = f" {' '.join(words)} "
    return list(
        dict.fromkeys(padded[at : at + 3] for at in range(len(padded) - 2 if len(words) else 0))
    )


def mend_text(text: str) -> str:
    """Put `?` in the place of halves of characters (lone surrogates), which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _replace_all(rules: Iterable[tuple[regex.Pattern[str], str]], text: str) -> str:
    for rule, becomes in rules:
        text = rule.sub(becomes, text)
    return text


def _compile_number_rules(language: LanguageConf) -> list[tuple[regex.Pattern[str], str]]:
    rules = [_SIZES]
    if language.thousands_separator:
        mark = regex.escape(language.thousands_separator)
        rules.insert(0, (rf"(?<=[0-9]){mark}(?=[0-9]{{3}}(?![0-9]))", ""))
    return [(regex.compile(pattern), becomes) for pattern, becomes in rules]


def _compile_units(names: Iterable[str]) -> regex.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    if not longest_first:
        return _NEVER
    either = "|".join(map(regex.escape, longest_first))
    return regex.compile(rf"([0-9]){_SPACE}-?{_SPACE}({either}){_END}")


def _compile_measures(language: LanguageConf) -> regex.Pattern[str]:
    if not language.units:
        return _NEVER
    units = "|".join(map(regex.escape, language.units))
    return regex.compile(rf"(?:[0-9]+[./])?[0-9]+ (?:{units}){_END}")


def _compile_possessive(language: LanguageConf) -> regex.Pattern[str]:
    if not language.possessive:
        return _NEVER
    return regex.compile(rf"(?<=\p{{L}})'(?={regex.escape(language.possessive)}{_END})")


def _compile_title_end(language: LanguageConf) -> regex.Pattern[str]:
    words = "|".join(map(regex.escape, language.title_qualifiers))
    named = f" (?:{words}) |" if words else ""
    return regex.compile(rf"{named} - |,|\(")


def _compile_plural(plural: PluralEnding) -> regex.Pattern[str]:
    before = ""
    if plural.after:
        before += rf"(?<={'|'.join(map(regex.escape, plural.after))})"
    if plural.letters or plural.not_after:
        barred = f"(?![{regex.escape(plural.not_after)}])" if plural.not_after else ""
        before += rf"(?<=\p{{L}}{{{max(plural.letters - 1, 0)}}}{barred}\p{{L}})"
    return regex.compile(rf"{before}{regex.escape(plural.ending)}\Z")
