"""The features of the log by DuckDB, from the live files of the Delta tables to Parquet."""

from datetime import date, timedelta
from pathlib import Path
from string import Template

import duckdb

from conf.load import ResolvedConf
from features.contracts import CANDIDATES, IMPRESSIONS, ITEMS, QUERIES, Table
from features.regional import STEPS
from jobs.platform.warehouse import Warehouse

SCRIPT = Path(__file__).with_name("log_features.sql")
TABLES = ("query", "item", "pair")
"""Tables of features, each a file `<name>.parquet`."""


def write_by_duckdb(warehouse: Warehouse, conf: ResolvedConf, folder: Path, threads: int) -> None:
    """Compute the three tables with so many threads and write each to a file of the folder."""
    sources = (ITEMS, IMPRESSIONS, QUERIES, CANDIDATES)
    files = {table.name: _list_files(warehouse, table) for table in sources}
    outputs = {f"{name}_out": _quote(folder / f"{name}.parquet") for name in TABLES}
    script = Template(SCRIPT.read_text(encoding="utf-8"))
    folder.mkdir(parents=True)
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(script.substitute(files | outputs | _list_figures(conf)))


def _list_files(warehouse: Warehouse, table: Table) -> str:
    """List the files of the table's newest version as an SQL list."""
    run_date = warehouse.conf.run_date.isoformat() if "run_date" in table.key else None
    return f"[{', '.join(map(_quote, warehouse.data_files(table, run_date)))}]"


def _list_figures(conf: ResolvedConf) -> dict[str, str]:
    """List the figures that the script takes from conf, as SQL."""
    features = conf.tree.features
    figures: dict[str, object] = {
        "today": _to_day(conf.run_date),
        "since": _to_day(conf.run_date - timedelta(days=features.training_days)),
        "regions": f"[{', '.join(map(_quote, conf.tree.regions))}]",
        "strength": features.prior_impressions,
        "max_position": features.max_position,
        "power": features.examination_power,
        "cap": features.max_inverse_propensity,
        "buckets": features.hash_buckets,
        "steps": STEPS,
    }
    return {name: str(value) for name, value in figures.items()}


def _to_day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _quote(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
