"""The features' table in the documentation is the declarations' table."""

import os
from pathlib import Path

import features
from features.contracts import ALL_TABLES
from features.docs import feature_table, table_page
from features.spec import Feature

PAGE = Path(__file__).parents[2] / "docs" / "data_tables.md"
README = Path(next(iter(features.__path__))) / "README.md"


def test_readme_holds_the_table_of_the_declarations() -> None:
    assert feature_table() in README.read_text(encoding="utf-8"), (
        "features/README.md is behind features/declarations.py; put in what "
        "`python -c 'from features.docs import feature_table; print(feature_table())'` prints"
    )


def test_a_row_says_all_of_a_declaration() -> None:
    feature = Feature("f", "item", "what it is", kind="category", default=0.5, regional=True)
    row = feature_table([feature]).splitlines()[-1]
    assert row == "| `f` | item | category | dependent | 0.5 | what it is |"


def test_the_page_of_tables_is_that_of_the_contracts() -> None:
    if os.environ.get("COUNTERPOISE_WRITE_DOCS"):
        PAGE.write_text(table_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == table_page(), "run `make docs`"


def test_every_table_has_grain_key_columns_and_checks() -> None:
    page = table_page()
    assert all(f"\n## {table.name}\n" in page for table in ALL_TABLES)
    scores = page.partition("\n## scores\n")[2].partition("\n## ")[0]
    assert "Key: `" in scores
    assert "| `p_ge_1` | float |" in scores
    assert "- check `" in scores
