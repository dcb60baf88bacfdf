"""Kill the nightly run at random points and compare what it leaves with an undisturbed run.

Two runs of one tiny simulated market, each in a warehouse of its own. The first runs to its end.
The second is killed (SIGKILL of its whole process group) KILLS times: once in every step, the rest
in steps drawn at random, each time after a random share of the seconds that the step took in the
first run; every kill is followed by the same command, the last one to its end. Then all tables must
hold the same rows, and no scratch folder may be left, in the warehouse or in the folder for
temporary files.

    python -m bench kills            COUNTERPOISE_KILLS_SEED=7 COUNTERPOISE_KILLS=40 ...
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.result import Result
from conf.load import ResolvedConf, load_conf
from features.contracts import ALL_TABLES, TEXT_EMBEDDINGS, Table
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.registry import CHAIN

MARKET = Path(__file__).with_name("kills.yaml")
SEED, KILLS = 1, 20
"""Of the points, and how many there are: each step once, and as many again."""
# A run that waits this long (s) without ending is stuck: an undisturbed one takes minutes.
STUCK_AFTER_S = 1800.0
# Steps are a little faster or slower the second time: a later point could miss its step.
_LATEST_SHARE = 0.9
# Another batch of texts changes the last bits of an embedding: of this table the keys are compared.
_KEYS_ONLY = (TEXT_EMBEDDINGS,)


@dataclass(frozen=True)
class Kill:
    """One kill: `after_s` seconds after the line that says that `step` begins."""

    step: str
    after_s: float


def measure() -> list[Result]:
    """Run undisturbed, run with kills, compare; one result for rows, one for what is left over."""
    seed = int(os.environ.get("COUNTERPOISE_KILLS_SEED", SEED))
    kills = int(os.environ.get("COUNTERPOISE_KILLS", KILLS))
    with tempfile.TemporaryDirectory(prefix="counterpoise-kills-") as folder:
        calm, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        _run_to_end(calm, Path(folder) / "tmp-undisturbed")
        points = draw_kills(read_step_seconds(calm), kills, seed)
        fell_in = [_run_and_kill(killed, Path(folder) / "tmp-killed", kill) for kill in points]
        _run_to_end(killed, Path(folder) / "tmp-killed")
        left = sorted(list_leftovers(killed, Path(folder) / "tmp-killed"))
        spark = get_session(load_conf([MARKET]).tree)
        differing = dict(compare_tables(spark, _load_conf(calm), _load_conf(killed)))
    for kill, place in zip(points, fell_in, strict=True):
        print(f"killed {kill.after_s:5.1f} s after {kill.step} began, in {place}")
    return [
        Result(
            f"tables that differ after {kills} kills (seed {seed})",
            ", ".join(f"{name}: {rows} rows" for name, rows in differing.items()) or "none",
            "none",
            not differing,
        ),
        Result("scratch left behind", ", ".join(left) or "none", "none", not left),
    ]


def draw_kills(seconds: dict[str, float], kills: int, seed: int) -> list[Kill]:
    """Draw `kills` points in the order of the chain: every step once as far as they go, the others
    at random."""
    random_ = random.Random(seed)
    steps = list(CHAIN)
    chosen = random_.sample(steps, min(kills, len(steps)))
    chosen += random_.choices(steps, k=max(kills - len(steps), 0))
    chosen.sort(key=CHAIN.index)
    return [
        Kill(step, _LATEST_SHARE * random_.random() * seconds.get(step, 1.0)) for step in chosen
    ]


def read_step_seconds(root: Path) -> dict[str, float]:
    """Read the seconds of each step, from the reports of the run under `root`."""
    reports = (root / "reports").glob("*/*.json")
    return {path.stem: float(json.loads(path.read_text())["seconds"]) for path in reports}


def list_leftovers(root: Path, scratch: Path) -> Iterator[str]:
    """List what a killed run left: hidden folders in the warehouse, anything in the scratch
    folder."""
    for folder, names, _ in os.walk(root):
        hidden = [name for name in names if name.startswith(".")]
        yield from (str((Path(folder) / name).relative_to(root)) for name in hidden)
    yield from (f"{scratch.name}/{path.name}" for path in scratch.iterdir())


def compare_tables(
    spark: SparkSession, one: ResolvedConf, other: ResolvedConf
) -> Iterator[tuple[str, int]]:
    """Yield the names of the tables whose rows differ, with the number of rows that only one of the
    two holds."""
    ours, theirs = (open_warehouse(spark, conf, "kills")[0] for conf in (one, other))
    for table in ALL_TABLES:
        exists = [warehouse.exists(table) for warehouse in (ours, theirs)]
        if exists == [False, False]:
            continue
        if exists != [True, True]:
            yield table.name, -1
            continue
        a, b = (_write_lines(warehouse.read(table), table) for warehouse in (ours, theirs))
        rows = a.exceptAll(b).count() + b.exceptAll(a).count()
        if rows:
            yield table.name, rows


def _write_lines(rows: DataFrame, table: Table) -> DataFrame:
    names = table.key if table in _KEYS_ONLY else rows.columns
    return rows.select(F.to_json(F.struct(*names)).alias("line"))


def _load_conf(root: Path) -> ResolvedConf:
    return load_conf([MARKET], [f"storage.root={root}"])


def _start_run(root: Path, scratch: Path) -> subprocess.Popen[str]:
    scratch.mkdir(exist_ok=True)
    command = [sys.executable, "-u", "-m", "jobs.command.cli", "nightly"]
    command += ["--conf", str(MARKET), "--set", f"storage.root={root}"]
    env = os.environ | {
        "TMPDIR": str(scratch),
        "JDK_JAVA_OPTIONS": f"-Djava.io.tmpdir={scratch}",
    }
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=env,
    )


def _run_to_end(root: Path, scratch: Path) -> None:
    process = _start_run(root, scratch)
    stuck = threading.Timer(STUCK_AFTER_S, _kill_group, [process])
    stuck.start()
    output, _ = process.communicate()
    stuck.cancel()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, output)


def _run_and_kill(root: Path, scratch: Path, kill: Kill) -> str:
    """Start the run, kill it at the point, and tell the step in which the kill fell."""
    process = _start_run(root, scratch)
    assert process.stdout is not None
    begun = f"] {kill.step} ..."
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if begun in line:
            timer = threading.Timer(kill.after_s, _kill_group, [process])
            timer.start()
    code = process.wait()
    if code == 0:
        return "no step: the run had ended"
    if code != -signal.SIGKILL:
        raise subprocess.CalledProcessError(code, process.args, "".join(lines))
    return find_step(lines)


def find_step(lines: Sequence[str]) -> str:
    """Find the step that the last line of a run's output says has begun; "between steps" where it
    says none."""
    last = [line for line in lines if line.startswith("[")][-1:]
    if not last or not last[0].rstrip().endswith("..."):
        return "between steps"
    return last[0].split("] ")[1].split(" ")[0]


def _kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
