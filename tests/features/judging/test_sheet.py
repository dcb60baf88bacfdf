"""The rater's files: escaped, self-contained, and blind to known grades."""

import csv
import io
from html.parser import HTMLParser

from features.judging.sheet import SheetPair, sheet_csv, sheet_html

NASTY = '</p><script>alert("x")</script> & {braces} 東京 🔨'
PAIRS = [SheetPair("00ff", NASTY, "=HYPERLINK(1)"), SheetPair("11aa", "hose", "Garden Hose, 50 ft")]


class Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_is_escaped_and_nothing_is_loaded() -> None:
    page = Page(sheet_html(PAIRS, "Sheet <1>"))
    assert page.tags.count("script") == 1
    assert page.links == []
    assert NASTY in page.text
    assert "Sheet <1>" in page.text
    assert page.tags.count("fieldset") == 2
    assert page.tags.count("input") == 2 * 3 + 1
    assert "http://" not in sheet_html(PAIRS, "Sheet")


def test_csv_is_read_back_and_runs_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(sheet_csv(PAIRS))))
    assert [row["pair"] for row in rows] == ["00ff", "11aa"]
    assert rows[0]["query"] == NASTY
    assert rows[0]["item"] == "'=HYPERLINK(1)"
    assert all(row["rater"] == row["grade"] == "" for row in rows)
