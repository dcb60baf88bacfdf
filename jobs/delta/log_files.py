"""Reads a Delta table's log from its files: commits, columns, properties and the files it holds.

Spark answers each of these questions with several queries, a good part of a second every time, and
a night asks hundreds of times. The log is plain JSON and Parquet (the Delta transaction log
protocol, https://github.com/delta-io/delta/blob/master/PROTOCOL.md): commit N is `N.json`, one
action per line, and a checkpoint holds all actions up to its version, merged. Tables by name ask
Spark: their log may lie anywhere.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow.parquet as pq

from jobs.delta.history import Commit, parse_metadata

_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet$")
_ANY_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint\.")

_STATISTICS_PREFIX = 32
"""Characters of a text that Delta keeps in a file's statistics."""

Action = Mapping[str, Any]


class UnreadableLogError(RuntimeError):
    """The log has a form that is not read here (a checkpoint of another kind); ask Spark."""


@dataclass(frozen=True)
class TableState:
    """A table at its newest version.

    Attributes:
        version: the newest one.
        columns: names, in order.
        properties: of the table, checks among them.
        files: path of each data file, with its statistics (min, max and count by column).
        partial: files of which a deletion vector takes rows away.
    """

    version: int
    columns: tuple[str, ...]
    properties: Mapping[str, str]
    files: Mapping[Path, Mapping[str, Any]]
    partial: frozenset[Path] = frozenset()

    def files_of(self, column: str, value: str) -> list[Path]:
        """Give the files that may hold rows with this value of a column, a string or a date."""
        return [path for path, stats in self.files.items() if _may_hold(stats, column, value)]

    def files_of_only(self, column: str, value: str) -> list[Path]:
        """Give the files whose rows, read as plain Parquet, are just those with this value.

        Nothing where one of them holds other rows, too, lost some to a deletion vector, or may have
        columns of other names.
        """
        files = self.files_of(column, value)
        bounds = [
            self.files[path].get(bound, {}).get(column)
            for path in files
            for bound in ("minValues", "maxValues")
        ]
        renamed = self.properties.get("delta.columnMapping.mode", "none") != "none"
        if renamed or not self.partial.isdisjoint(files) or {*bounds} - {value}:
            return []
        return files

    def list_values(self, column: str) -> set[str] | None:
        """List the values of a text column; None unless every file holds a single value, short
        enough for Delta's statistics."""
        values = set()
        for stats in self.files.values():
            low, high = (stats.get(name, {}).get(column) for name in ("minValues", "maxValues"))
            if low is None or low != high or len(low) >= _STATISTICS_PREFIX:
                return None
            values.add(low)
        return values


def newest_commits(table: Path) -> Iterator[Commit]:
    """Give the commits on record, the newest first; none where the folder holds no table."""
    for version, path in sorted(_list_commits(table).items(), reverse=True):
        info: Action = next((a["commitInfo"] for a in _read_actions(path) if "commitInfo" in a), {})
        yield Commit(
            version,
            str(info.get("operation", "")),
            info.get("operationMetrics") or {},
            parse_metadata(info.get("userMetadata")),
        )


def is_table(table: Path) -> bool:
    """Say whether the folder holds a Delta table: a log with a commit or a checkpoint."""
    log = table / "_delta_log"
    names = (path.name for path in log.iterdir()) if log.is_dir() else iter(())
    return any(_COMMIT.match(name) or _ANY_CHECKPOINT.match(name) for name in names)


def read_state(table: Path) -> TableState:
    """Replay the log of an existing table from its last checkpoint on.

    Raises:
        UnreadableLogError: no checkpoint that is read here begins the log.
    """
    start, actions = _read_checkpoint(table)
    commits = {v: p for v, p in _list_commits(table).items() if v > start}
    if sorted(commits) != list(range(start + 1, start + 1 + len(commits))):
        raise UnreadableLogError(f"{table}: commits are missing from the log")
    metadata: Action = {}
    files: dict[Path, Mapping[str, Any]] = {}
    partial: set[Path] = set()
    for action in _chain_actions(actions, commits):
        if action.get("metaData"):
            metadata = action["metaData"]
        if action.get("add"):
            add = action["add"]
            path = _resolve_path(table, add["path"])
            files[path] = json.loads(add.get("stats") or "{}")
            if add.get("deletionVector"):
                partial.add(path)
        elif action.get("remove"):
            path = _resolve_path(table, action["remove"]["path"])
            files.pop(path, None)
            partial.discard(path)
    if not metadata:
        raise UnreadableLogError(f"{table}: its log names no columns")
    fields = json.loads(metadata["schemaString"])["fields"]
    properties = dict(metadata.get("configuration") or {})
    return TableState(
        version=max(commits, default=start),
        columns=tuple(field["name"] for field in fields),
        properties=properties,
        files=files,
        partial=frozenset(partial),
    )


def _chain_actions(checkpoint: Iterator[Action], commits: Mapping[int, Path]) -> Iterator[Action]:
    """Return the actions of the checkpoint, then of each commit.

    Of one commit the removals come first: a file that gets a deletion vector is removed and added
    under the same path.
    """
    yield from checkpoint
    for _, path in sorted(commits.items()):
        actions = list(_read_actions(path))
        yield from (action for action in actions if "remove" in action)
        yield from (action for action in actions if "remove" not in action)


def _list_commits(table: Path) -> dict[int, Path]:
    log = table / "_delta_log"
    if not log.is_dir():
        return {}
    return {int(m[1]): p for p in log.iterdir() if (m := _COMMIT.match(p.name))}


def _read_actions(path: Path) -> Iterator[Action]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _read_checkpoint(table: Path) -> tuple[int, Iterator[Action]]:
    """Read version and actions of the newest complete checkpoint; -1 and none where the log begins
    at 0.
    """
    parts: dict[int, list[tuple[int, Path]]] = {}
    others: set[int] = set()
    for path in (table / "_delta_log").iterdir():
        match = _CHECKPOINT.match(path.name)
        if match:
            parts.setdefault(int(match[1]), []).append((int(match[3] or 1), path))
        elif other := _ANY_CHECKPOINT.match(path.name):
            others.add(int(other[1]))
    complete = {v: listed for v, listed in parts.items() if len(listed) == listed[0][0]}
    paths = {v: [path for _, path in listed] for v, listed in complete.items()}
    newest = max(paths, default=-1)
    if newest < 0 and (others or 0 not in _list_commits(table)):
        raise UnreadableLogError(f"{table}: its checkpoint is of a kind that is not read here")
    return newest, _read_rows(sorted(paths.get(newest, ())))


def _read_rows(paths: list[Path]) -> Iterator[Action]:
    added = ("add.path", "add.stats", "add.deletionVector")
    wanted = (*added, "metaData.schemaString", "metaData.configuration")
    for path in paths:
        schema = pq.ParquetFile(path)
        for batch in schema.iter_batches(columns=list(wanted)):
            for row in batch.to_pylist():
                if row.get("metaData") and row["metaData"].get("configuration"):
                    row["metaData"]["configuration"] = dict(row["metaData"]["configuration"])
                yield {k: v for k, v in row.items() if v and any(v.values())}


def _resolve_path(table: Path, path: str) -> Path:
    """Return where a file of the log lies: paths are URIs, most of them relative to the table."""
    uri = urlparse(path)
    return Path(unquote(uri.path)) if uri.scheme else table / unquote(path)


def _may_hold(stats: Mapping[str, Any], column: str, value: str) -> bool:
    low, high = (stats.get(name, {}).get(column) for name in ("minValues", "maxValues"))
    return low is None or high is None or str(low) <= value <= str(high)
