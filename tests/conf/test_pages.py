"""The page of all conf keys is what the classes of the conf say."""

import os
from pathlib import Path

from conf.load import load_conf
from conf.pages import key_page

PAGE = Path(__file__).parents[2] / "docs" / "conf_keys.md"


def test_the_page_is_that_of_the_classes() -> None:
    if os.environ.get("COUNTERPOISE_WRITE_DOCS"):
        PAGE.write_text(key_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == key_page(), "run `make docs`"


def test_every_key_of_a_conf_has_its_row() -> None:
    rows = {line.split("`")[1] for line in key_page().splitlines() if line.startswith("| `")}
    keys = _keys(load_conf().tree.model_dump(exclude={"source"}))
    assert len(keys) > 200
    lacking = [k for k in keys if not any(k == row or k.startswith(f"{row}.") for row in rows)]
    assert lacking == []


def test_a_row_has_type_default_and_description() -> None:
    assert "| `seed` | whole number | `17` | seed of everything that draws random numbers |" in (
        key_page()
    )
    assert "| `tracking.uri` | text or null | `null` |" in key_page()
    assert "| `source.kind` | `esci` |" in key_page()


def _keys(tree: dict[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in tree.items():
        inner = isinstance(value, dict) and value
        found += _keys(value, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]  # type: ignore[arg-type]
    return found
