"""The broken inputs: conf that reads them, and the errors of those that stop a job."""

from pathlib import Path

from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES

BROKEN = Path(__file__).with_name("broken_inputs")


def table_settings(folder: Path = BROKEN, **files: str) -> list[str]:
    names = {t.name: f"{t.name}.csv" for t in (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS)} | files
    places = [
        setting
        for table, file in names.items()
        for setting in (
            f"source.{table}.path={folder / file}",
            f"source.{table}.format=csv",
        )
    ]
    return [
        "source.kind=tables",
        *places,
        "run_date=2026-03-01",
        "regions=[us, uk]",
        "ingest.max_quarantined_share=1.0",
        "ingest.max_lag_days=null",
    ]


def own_settings(features: str = "", **changes: str) -> list[str]:
    """Conf of a table of own features; `changes` are keys of its section."""
    kinds = "{margin: {}, units: {dtype: int}, tier: {dtype: category}}"
    section = {
        "format": "csv",
        "path": str(BROKEN / "own_values.csv"),
        "key": "[item_id]",
        "columns": "{item_id: sku}",
        "as_of": "computed_on",
        "features": features or kinds,
    }
    listed = ", ".join(f"{key}: {value}" for key, value in (section | changes).items())
    return [f"features.own.shop={{{listed}}}", "ingest.max_quarantined_share=1.0"]


STOPS: dict[str, tuple[list[str], str]] = {
    "a delimiter that is not the one of conf": (
        table_settings(items="errors/delimiter.csv"),
        r"delimiter.csv: the header reads as one column .* ';'",
    ),
    "a column that is missing": (
        table_settings(items="errors/column.csv"),
        r"items: columns \['title'\] are missing; present: .*'name'.*map",
    ),
    "a file with a header and no rows": (
        table_settings(items="errors/header_only.csv"),
        r"gives no items; check that its files hold rows",
    ),
    "a file of no bytes": (
        table_settings(items="errors/no_bytes.csv"),
        r"no_bytes.csv is empty; set source.items.path",
    ),
    "a file in UTF-16": (
        table_settings(items="errors/utf16.csv"),
        r"columns \['item_id', 'title'\] are missing.*encoding",
    ),
    "a file that does not exist": (
        table_settings(items="nowhere.csv"),
        r"nowhere.csv does not exist; set source.items.path",
    ),
    "a file of another format": (
        [*table_settings(), "source.items.format=parquet"],
        r"items.csv cannot be read .*not a Parquet file",
    ),
    "a mapping to a column that is not ours": (
        [*table_settings(), "source.items.columns.titel=title"],
        r"source.items: \['titel'\] are not columns of items",
    ),
    "a mapping from a column that is not there": (
        [*table_settings(), "source.items.columns.title=name"],
        r"columns \['name'\] are missing",
    ),
    "a conf key that does not exist": (
        ["trainer.epoch=3"],
        r"trainer.epoch .*unknown key; the nearest valid one is trainer.epochs",
    ),
    "a run date that is no day": (["run_date=2026-02-30"], r"2026-02-30"),
    "a number that is not finite": (["trainer.learning_rate=.nan"], r"trainer.learning_rate"),
    "a history shorter than features look back": (
        ["ingest.history_days=10"],
        r"ingest.history_days.*features.training_days",
    ),
    "more broken rows than conf allows": (
        [*table_settings(), "ingest.max_quarantined_share=0.5"],
        r"items: 82% of 22 rows broke .*malformed_line 3",
    ),
}
"""What stops ingest: its name on the page, the settings, and what the error must say."""
OWN_STOPS: dict[str, tuple[list[str], str]] = {
    "own features without their as-of column": (
        own_settings(as_of="known_on"),
        r"features.own.shop: columns \['known_on'\] are missing; present: .*'computed_on'",
    ),
    "own features whose column is missing": (
        own_settings("{profit: {}}"),
        r"features.own.shop: columns \['profit'\] are missing",
    ),
    "a table of own features that went away": (
        own_settings(path=str(BROKEN / "nowhere.csv")),
        r"nowhere.csv does not exist; set features.own.shop.path",
    ),
    "an own feature whose name is taken": (
        own_settings("{pair_bm25: {column: margin}}"),
        r"features.own.shop.features.pair_bm25: the name is taken .*another name",
    ),
    "own features without a key": (own_settings(key="[region]"), r"features.own.shop.*no.*ne"),
    "own features of no rows": (
        own_settings(path=str(BROKEN / "errors" / "own_header_only.csv")),
        r"features.own.shop gives no rows.*--allow-shrink own_values",
    ),
    "more broken rows of own features than conf allows": (
        [*own_settings(), "ingest.max_quarantined_share=0.5"],
        r"features.own.shop: 62% of 13 rows broke .*wrong_type 4",
    ),
}
"""What stops import_features, likewise."""
