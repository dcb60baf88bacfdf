"""The features' table in the documentation is the declarations' table."""

from pathlib import Path

import features
from features.docs import feature_table
from features.spec import Feature

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
