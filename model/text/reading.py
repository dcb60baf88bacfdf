"""Reads off a query's or an item's text what is compared later, once for each text."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from model.text.rules import TextRules, find_numbers

READER_VERSION = 1
"""Rises when a reading comes out otherwise for the same text and language."""


@dataclass(frozen=True)
class Reading:
    """What a text says.

    Attributes:
        tokens: all tokens in their order; of an item those of title, brand and type.
        head: the word that says what is meant; '' for none.
        numbers: distinct tokens that are numbers.
        colours, sizes: of an item its own, as its tokens joined by a space, and those named there;
            without one of its own, and of a query, those that the text names.
        brand: distinct tokens of the brand; none for a query.
        own_colour, own_size: tokens of the item's own colour and size, joined; '' for none.
    """

    tokens: Sequence[str]
    head: str
    numbers: Sequence[str]
    colours: Sequence[str]
    sizes: Sequence[str]
    brand: Sequence[str] = ()
    own_colour: str = ""
    own_size: str = ""


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Reading))


def read_query(text: str, rules: TextRules) -> Reading:
    """Read a query's text."""
    words = rules.split_tokens(text)
    return Reading(
        tokens=words,
        head=rules.find_head(words),
        numbers=find_numbers(words),
        colours=rules.find_colours(words),
        sizes=rules.find_measures(words),
    )


class ItemText(NamedTuple):
    """The texts of an item, each '' where it has none; `text` is title, brand and type."""

    text: str
    title: str
    brand: str
    item_type: str
    colour: str
    size: str


def read_item(item: ItemText, rules: TextRules) -> Reading:
    """Read an item's texts."""
    words, of_title = rules.split_tokens(item.text), rules.split_tokens(item.title)
    colours, sizes = rules.split_tokens(item.colour), rules.split_tokens(item.size)
    own_colours = [" ".join(colours), *rules.find_colours(colours)]
    own_sizes = [" ".join(sizes), *rules.find_measures(sizes)]
    named = rules.find_head(rules.split_tokens(item.item_type))
    return Reading(
        tokens=words,
        head=named or rules.find_head(rules.split_tokens(rules.cut_title(item.title))),
        numbers=find_numbers(words),
        colours=_make_distinct(own_colours) if colours else rules.find_colours(of_title),
        sizes=_make_distinct(own_sizes) if sizes else rules.find_measures(of_title),
        brand=_make_distinct(rules.split_tokens(item.brand)),
        own_colour=" ".join(colours),
        own_size=" ".join(sizes),
    )


def _make_distinct(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))
