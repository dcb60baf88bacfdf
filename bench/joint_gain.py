"""Why the joint score gains what it gains on Home Depot: the strength of the simulated engagement,
and how good the relevance head is.

The chain runs at several planted strengths with which engagement follows relevance. On validation
queries the relevance weight is swept twice: with the model's relevance, and with the human grades
in its place (an oracle: what a perfect relevance head would gain at the same loss of engagement).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bench.result import Result
from conf.load import ResolvedConf, load_conf
from features.contracts import EXAMPLE_SCORES, QUERIES
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.tune_value_model import TuningInputs, build

STRENGTHS = (1.2, 0.0)
"""Planted strengths: the default, and engagement that does not follow relevance."""
LOSSES = (0.01, 0.05)
"""Losses of engagement at which the gain is read (fraction)."""
SWEEP = "0,0.001,0.002,0.005,0.01,0.02,0.03,0.05,0.08,0.12,0.2,0.3,0.5,1,2,5,100"
_CONF = Path(__file__).parents[1] / "conf" / "homedepot.yaml"


def measure() -> list[Result]:
    """Measure one result per strength and relevance: there is no limit, they explain."""
    results: list[Result] = []
    for strength in STRENGTHS:
        with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
            explained = _explain_strength(strength, _run_night(strength, Path(folder)))
        for result in explained:
            print(f"{result.what}: {result.measured}", flush=True)
        results += explained
    return results


def _run_night(strength: float, root: Path) -> ResolvedConf:
    settings = [
        f"storage.root={root}",
        f"source.shoppers.relevance_strength={strength}",
        f"value.sweep=[{SWEEP}]",
    ]
    command = [sys.executable, "-m", "jobs.command.cli", "nightly", "--conf", str(_CONF)]
    for setting in settings:
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return load_conf([_CONF], settings)


def _explain_strength(strength: float, conf: ResolvedConf) -> list[Result]:
    spark = get_session(conf.tree)
    warehouse, _ = open_warehouse(spark, conf, "bench")
    rows = warehouse.read_run(EXAMPLE_SCORES).where("split = 'validation'").persist()
    queries = warehouse.read(QUERIES)
    kinds = {"the model's relevance": rows, "human grades as relevance": _take_grades(rows)}
    results = [
        Result(f"strength {strength}, {kind}", _format_gains(table, queries, conf), "none", True)
        for kind, table in kinds.items()
    ]
    rows.unpersist()
    return results


def _take_grades(rows: DataFrame) -> DataFrame:
    """Put people's grade in the place of the relevance, where there is one."""
    is_human = F.col("label_source") == "human"
    grade = F.when(is_human, F.col("grade").cast("float")).otherwise(F.col("relevance"))
    return rows.withColumn("relevance", grade)


def _format_gains(rows: DataFrame, queries: DataFrame, conf: ResolvedConf) -> str:
    """Format the relevance NDCG of engagement only, its gain at each loss of engagement, and that
    of relevance alone."""
    curve = build(TuningInputs(rows, queries), conf).where("region = 'all'").collect()
    points = sorted((r["w_relevance"], r["relevance_ndcg"], r["engagement_ndcg"]) for r in curve)
    base = points[0]
    words = [f"engagement only {base[1]:.3f}"]
    for loss in LOSSES:
        best = max(r for _, r, e in points if e >= (1 - loss) * base[2])
        words.append(f"{loss:.0%} loss {best - base[1]:+.3f}")
    last = points[-1]
    words.append(f"relevance only {last[1] - base[1]:+.3f} (loss {1 - last[2] / base[2]:.1%})")
    return ", ".join(words)
