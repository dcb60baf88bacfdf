"""What is read off a query's text and an item's texts."""

from conf.sections.language import read_english
from model.text.reading import ItemText, read_item, read_query
from model.text.rules import TextRules

RULES = TextRules(read_english())


def test_a_query() -> None:
    found = read_query("Gray 6 foot beds 2x4", RULES)
    assert found.tokens == ["gray", "6", "ft", "bed", "2", "4"]
    assert (found.head, found.numbers) == ("bed", ["6", "2", "4"])
    assert (found.colours, found.sizes) == (["grey"], ["6 ft"])
    assert (found.brand, found.own_colour, found.own_size) == ((), "", "")


def test_an_items_attributes_come_from_its_columns() -> None:
    item = ItemText("Acme Sofa in red", "Sofa in red", "Acme Home", "", "Navy Blue", "Queens")
    found = read_item(item, RULES)
    assert found.brand == ["acme", "home"]
    assert found.colours == ["navy blue", "navy", "blue"]
    assert (found.sizes, found.own_colour, found.own_size) == (["queen"], "navy blue", "queen")
    assert found.head == "sofa"


def test_else_from_its_title() -> None:
    found = read_item(ItemText("Gray bed 6 ft.", "Gray bed 6 ft. wide", "", "", "", ""), RULES)
    assert (found.colours, found.sizes, found.brand) == (["grey"], ["6 ft"], [])
    assert found.own_colour == found.own_size == ""


def test_the_type_says_what_an_item_is_before_its_title_does() -> None:
    title = "Delta Single-Handle Faucet in Chrome"
    typed = read_item(ItemText(title, title, "", "Kitchen Taps", "", ""), RULES)
    assert typed.head == "tap"
    assert read_item(ItemText(title, title, "", "12", "", ""), RULES).head == "faucet"
