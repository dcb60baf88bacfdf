"""A tiny market whose grades follow the words in common, and a labeler that is fitted on it."""

import datetime as dt
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import CANDIDATES, IMPRESSIONS, ITEMS, QUERIES, RELEVANCE_LABELS
from jobs import finetune_labeler
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

RUN = dt.date(2026, 3, 1)
COLOURS = ("red", "blue", "green", "black")
TYPES = ("drill", "saw", "hammer", "ladder", "rope")
SETTINGS = (
    "regions=[us, uk]",
    "tracking.mlflow=false",
    "labeler.kind=lexical",
    "labeler.lexical.cosine=false",
    "labeler.lexical.min_leaf=5",
    "labeler.lexical.leaves=[4]",
    "labeler.lexical.threads=1",
    "labeler.lexical.rounds=30",
    "labeling.min_pairs=10",
    "labeling.gate.min_segment_pairs=1000",
    "labeling.gate.max_calibration_error=0.5",
    "labeling.chunk_pairs=100",
    "labeling.budget_minutes=null",
    "split.train=[0,1,2,3,4,5]",
    "split.validation=[6,7,8]",
)


def conf_of(root: Path, *settings: str, dry_run: bool = False) -> ResolvedConf:
    fixed = [f"storage.root={root}", *SETTINGS]
    return load_conf(
        [SIMULATED], settings=[*fixed, *settings], run_date="2026-03-01", dry_run=dry_run
    )


def warehouse_of(spark: SparkSession, root: Path) -> Warehouse:
    return open_warehouse(spark, conf_of(root), "test")[0]


def grade(colour: str, kind: str, item: dict[str, Any]) -> int:
    words = str(item["title"]).split()
    return int(kind in words) * (1 + int(colour in words))


def items() -> list[dict[str, Any]]:
    made = [(c, t) for c in COLOURS for t in TYPES]
    rows = [{"item_id": f"i{n}", "title": f"{c} {t} tool"} for n, (c, t) in enumerate(made)]
    return [*rows, {"item_id": "twin", "title": "red drill tool"}, {"item_id": "blank"}]


def queries() -> list[dict[str, Any]]:
    """20 texts x 2 regions; the last text has no bucket of its own but is never judged."""
    texts = [f"{c} {t}" for c in COLOURS for t in TYPES]
    return [
        {"query_id": f"q{n}_{region}", "query_text": text, "region": region, "bucket": n % 10}
        for n, text in enumerate(texts)
        for region in ("us", "uk")
    ]


def judged() -> list[dict[str, Any]]:
    """Every second item of every query of region us."""
    rows = []
    for query in queries():
        colour, kind = str(query["query_text"]).split()
        for number, item in enumerate(items()[:20]):
            if query["region"] == "us" and (number + query["bucket"]) % 2 == 0:
                found = grade(colour, kind, item)
                rows.append(
                    {
                        "query_id": query["query_id"],
                        "item_id": item["item_id"],
                        "source": "human",
                        "labeler_version": "people",
                        "grade": found,
                        "p_ge_1": float(found >= 1),
                        "p_ge_2": float(found >= 2),
                    }
                )
    return rows


def impressions() -> list[dict[str, Any]]:
    at = dt.datetime(2026, 2, 20, 12)
    return [
        {
            "search_id": f"s{n}",
            "query_id": "q0_us",
            "item_id": f"i{n % 5}",
            "region": "us",
            "position": 1,
            "event_time": at,
            "known_at": at,
            "event_date": at.date(),
            "price": 1.0,
        }
        for n in range(20)
    ]


def fit_labeler(spark: SparkSession, root: Path) -> JobReport:
    """Write the market's tables and fit a labeler; the report of the fit."""
    warehouse = warehouse_of(spark, root)
    candidates = [
        {"query_id": q["query_id"], "region": q["region"], "item_id": i["item_id"]}
        for q in queries()
        for i in items()
    ]
    constants = {"run_date": RUN, "from_log": True, "bucket": 0}
    for table, rows in {
        ITEMS: items(),
        QUERIES: queries(),
        IMPRESSIONS: impressions(),
        RELEVANCE_LABELS: judged(),
        CANDIDATES: candidates,
    }.items():
        zeros = {"string": "", "boolean": False, "int": 0}
        filler = {c.name: zeros.get(c.type) if c.required else None for c in table.columns}
        full = [filler | constants | row for row in rows]
        warehouse.merge(table, table.local_frame(spark, full))
    return finetune_labeler.JOB.run(spark, conf_of(root))


def model_labels(spark: SparkSession, root: Path) -> DataFrame:
    return warehouse_of(spark, root).read(RELEVANCE_LABELS).where("source = 'model'")
