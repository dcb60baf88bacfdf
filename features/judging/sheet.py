"""The files that a rater works on: a CSV, and one HTML page that needs nothing but a browser.

Neither shows a grade that is known already: a rater who sees one follows it.
"""

import csv
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass

COLUMNS = ("pair", "query", "item", "rater", "grade")
_MEANINGS = (
    (2, "highly relevant", "what the shopper asked for: the right kind of thing, and every "
     "brand, size, colour or material that the query names is met"),
    (1, "moderately relevant", "the right kind of thing or a near substitute, but something that "
     "the query names is not met; or a part or accessory that is plainly of use"),
    (0, "irrelevant", "another kind of thing: the shopper would not look at it"),
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class SheetPair:
    """A pair as a rater sees it."""

    code: str
    query: str
    item: str


def sheet_csv(pairs: Iterable[SheetPair]) -> str:
    """Write the pairs as CSV, with rater and grade left empty.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; the import
    reads the code, the rater and the grade only.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for pair in pairs:
        writer.writerow([pair.code, _no_formula(pair.query), _no_formula(pair.item), "", ""])
    return out.getvalue()


def sheet_html(pairs: Iterable[SheetPair], title: str) -> str:
    """Write a page with instructions and one row of choices per pair; a button saves the answers as
    CSV.

    It loads nothing and sends nothing: the content policy forbids it, and all text is escaped.
    """
    rows = [_render_row(number, pair) for number, pair in enumerate(pairs, start=1)]
    rules = "".join(
        f"<dt>{grade} {html.escape(name)}</dt><dd>{html.escape(meaning)}</dd>"
        for grade, name, meaning in _MEANINGS
    )
    return _PAGE.format(
        title=html.escape(title), rules=rules, count=len(rows), rows="\n".join(rows)
    )


def _render_row(number: int, pair: SheetPair) -> str:
    code = html.escape(pair.code, quote=True)
    choices = "".join(
        f'<label><input type="radio" name="{code}" value="{grade}"> {grade} {name}</label>'
        for grade, name, _ in _MEANINGS
    )
    return (
        f'<fieldset data-pair="{code}"><legend>{number}</legend>'
        f"<p><b>{html.escape(pair.query)}</b></p><p>{html.escape(pair.item)}</p>"
        f"{choices}</fieldset>"
    )


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 sans-serif; max-width: 50em; margin: 1em auto 5em; padding: 0 1em; }}
fieldset {{ margin: 1em 0; }}
fieldset p {{ margin: .3em 0; }}
label {{ margin-right: 1.5em; }}
dt {{ font-weight: bold; }}
footer {{ position: fixed; bottom: 0; left: 0; right: 0; padding: .6em 1em;
 background: Canvas; border-top: 1px solid; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>For each query (bold) and item, say how well the item fits what the shopper asked for. Judge the
text alone: not whether you would buy it, not its price. A misspelt query means what it was meant
to say. If the query is too vague to tell, grade for its most usual meaning. Leave out what you
cannot judge. Work alone; do not talk the answers over.</p>
<dl>{rules}</dl>
<form id="answers">
{rows}
</form>
<footer>
<label>Your name <input id="rater" maxlength="64" autocomplete="off"></label>
<span id="done">0</span> of {count} answered
<button type="button" id="save">Save answers as CSV</button>
</footer>
<script>
"use strict";
const form = document.getElementById("answers");
const rater = document.getElementById("rater");
let unsaved = false;
const answered = () => Array.from(form.querySelectorAll("input:checked"));
form.addEventListener("change", () => {{
  unsaved = true;
  document.getElementById("done").textContent = answered().length;
}});
window.addEventListener("beforeunload", (event) => {{ if (unsaved) event.preventDefault(); }});
document.getElementById("save").addEventListener("click", () => {{
  const name = rater.value.trim();
  if (!name) {{ rater.focus(); alert("Please give your name."); return; }}
  const quoted = '"' + name.replaceAll('"', '""') + '"';
  const lines = answered().map((choice) => [choice.name, quoted, choice.value].join(","));
  const text = ["pair,rater,grade", ...lines].join("\\n") + "\\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {{type: "text/csv"}}));
  link.download = "answers-" + name.replace(/[^A-Za-z0-9_-]+/g, "_") + ".csv";
  link.click();
  unsaved = false;
}});
</script>
</body>
</html>
"""
