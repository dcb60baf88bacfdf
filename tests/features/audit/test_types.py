"""Item types from titles."""

from collections.abc import Callable

from pyspark.sql import DataFrame

from conf.sections.audit import TaxonomyConf
from conf.sections.language import read_english
from features.audit.types import item_types
from features.contracts import ITEMS
from udfs.read_texts import split_udf

TableFrame = Callable[..., DataFrame]
TITLES = {
    "a": "Acme 6 ft. Steel Garden Hose with Nozzle",
    "b": "Bolt Garden Hoses, 50 ft.",
    "c": "Zed Fire Hose (Red)",
    "d": "Lamp Shade in White",
    "e": "12 in. x 4 ft.",
    "f": "Oak Dining-Table - 4 Seats",
}


def types_of(frame: DataFrame, **conf: object) -> dict[str, str | None]:
    english = read_english()
    found = item_types(frame, TaxonomyConf.model_validate(conf), english, split_udf(english))
    return {r["item_id"]: r["item_type"] for r in found.collect()}


def test_a_type_is_the_longest_ending_that_titles_share(table_frame: TableFrame) -> None:
    frame = table_frame(ITEMS, [{"item_id": i, "title": t} for i, t in TITLES.items()])
    assert types_of(frame, min_type_items=2) == {
        "a": "garden hose",
        "b": "garden hose",
        "c": "hose",
        "d": "shade",
        "e": None,
        "f": "table",
    }


def test_the_source_is_asked_first(table_frame: TableFrame) -> None:
    rows = [
        {"item_id": "a", "title": "Garden Hose", "item_type": " Hoses "},
        {"item_id": "b", "title": "Garden Hose", "item_type": ""},
        {"item_id": "c", "title": "Garden Hose"},
    ]
    frame = table_frame(ITEMS, rows)
    assert types_of(frame, min_type_items=3) == {
        "a": "hoses",
        "b": "garden hose",
        "c": "garden hose",
    }
    assert types_of(frame, types="titles", min_type_items=4) == dict.fromkeys("abc", "hose")
