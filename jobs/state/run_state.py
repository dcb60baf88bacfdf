"""What each step of a run date last did, so that an unchanged step can be skipped.

A step's fingerprint covers the code, the packages that compute, the conf sections that it declares,
the versions of the tables and artifacts that it reads, and the fingerprint of its external source.
The record is written only after the step succeeded: a step that was killed has none and runs again.
A step is skipped only where its outputs are what it recorded: the commit is there and nobody wrote
over its rows, no file is missing, model and snapshot files are what was written.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from conf.errors import UserError
from conf.load import ResolvedConf, section_hash
from features.contracts import Table
from jobs.delta.written import TableLog
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import state_path
from jobs.platform.warehouse import Warehouse
from jobs.serving.in_force import find_model_in_force
from jobs.state.artifacts import find_manifest, stamps_of, why_changed
from jobs.state.records import DamagedRecordError, read_record, write_record
from model.files import source_hash

_COMPUTING = (
    "delta-spark",
    "lightgbm",
    "numpy",
    "pandas",
    "peft",
    "petastorm",
    "pyarrow",
    "pyspark",
    "safetensors",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
)
"""Requirements that decide values; the others do not. They are listed by name, because a wheel for
a platform does not require what the platform brings.
"""
ALWAYS = ("seed", "regions", "split", "storage")


@dataclass(frozen=True)
class RunState:
    """Records of one run date, kept as JSON under storage.root/state."""

    warehouse: Warehouse
    log: TableLog = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", TableLog(self.warehouse))

    @property
    def conf(self) -> ResolvedConf:
        """The resolved conf of the run."""
        return self.warehouse.conf

    def fingerprint_step(self, job: Job, chain: list[Job]) -> str:
        """Hash everything that the job's outputs depend on."""
        tree = self.conf.tree.model_dump(mode="json")
        parts: dict[str, Any] = {
            "code": source_hash(),
            "packages": installed_versions(),
            "run_date": self.conf.run_date.isoformat(),
            "conf": {name: tree[name] for name in sorted({*ALWAYS, *job.sections})},
            "tables": {table.name: self._input_version(table, job, chain) for table in job.reads},
            "artifacts": {name: self._input_artifact(name) for name in job.artifacts_in},
            "external": job.external(self.conf) if job.external else None,
        }
        return section_hash(parts)

    def why_run(self, job: Job, fingerprint: str, chain: Sequence[Job] = ()) -> str | None:
        """Return why the step must run, or None where its record says that nothing changed.

        Args:
            job: the step.
            fingerprint: as `fingerprint` gives it now.
            chain: all steps; those that write to the same table are not taken for rivals.
        """
        try:
            record = read_record(state_path(self.warehouse, job))
        except DamagedRecordError as damage:
            return str(damage)
        if record is None:
            return "never finished for this run date"
        if record["fingerprint"] != fingerprint:
            return "inputs, conf or code changed"
        return next(self._list_changes(job, record, chain), None)

    def missing_inputs(self, job: Job) -> list[str]:
        """List the tables and artifacts that the job reads and that do not exist."""
        needed = [table for table in job.reads if table not in job.may_lack]
        tables = [table.name for table in needed if not self.log.list_commits(table)]
        return tables + [name for name in job.artifacts_in if self._input_artifact(name) is None]

    def last_report(self, job: Job) -> dict[str, Any]:
        """Return the report of the step's last success."""
        record = self._read_record(job)
        report: dict[str, Any] = record["report"] if record else {}
        return report

    def record_success(self, job: Job, fingerprint: str, report: JobReport) -> None:
        """Note that the step succeeded."""
        artifacts = {name: stamps_of(self._find_folder(name), name) for name in job.artifacts_out}
        self.log.forget()
        versions = {table.name: self.log.read_version(table) for table in job.writes}
        write_record(state_path(self.warehouse, job), fingerprint, artifacts, report, versions)

    def _list_changes(
        self, job: Job, record: dict[str, Any], chain: Sequence[Job]
    ) -> Iterator[str]:
        """List how the step's outputs differ from its record."""
        names = record["report"].get("commits", {})
        versions = record.get("versions", {}) | record["outputs"]
        for table in job.writes:
            version = versions.get(table.name)
            if version is not None:
                makers = [job.name, *(step.name for step in chain if table in step.writes)]
                change = self.log.why_changed(table, int(version), names.get(table.name), makers)
                yield from filter(None, [change])
        for name in job.artifacts_out:
            stamps = record["artifacts"].get(name)
            if not isinstance(stamps, dict):
                yield f"{name} was not recorded"
            else:
                yield from filter(None, [why_changed(self._find_folder(name), stamps)])

    def _read_record(self, job: Job) -> dict[str, Any] | None:
        """Read the record; None where it is missing or damaged."""
        try:
            return read_record(state_path(self.warehouse, job))
        except DamagedRecordError:
            return None

    def _input_version(self, table: Table, job: Job, chain: list[Job]) -> Any:
        """Return what a per-run table's maker last did on this run date (other dates do not
        matter); for an entity table, or without a record, the table's version.

        What the step itself, or a step after it, added to a table that steps before it make, too,
        is no input of it: labels of a model do not make the grades of people new."""
        if "run_date" in table.key:
            records = [self._read_record(maker) for maker in chain if table in maker.writes]
            versions = [r["outputs"].get(table.name) for r in records if r]
            if versions:
                return versions
        names = [step.name for step in chain]
        later = chain[names.index(job.name) :] if job.name in names else [job]
        return self.log.read_version(table, [step.name for step in later if table in step.writes])

    def _find_folder(self, name: str) -> Path:
        return {"snapshot": self.warehouse.snapshot_dir, "model": self.warehouse.model_dir}[name]()

    def _input_artifact(self, name: str) -> str | None:
        """Return the version in the artifact's manifest: a hash of its content, not of its timings.

        Without a model of the run date, that of the earlier one which is scored with."""
        folder = self._find_folder(name)
        if name == "model" and find_manifest(folder) is None:
            with suppress(UserError):
                folder = find_model_in_force(self.warehouse)
        manifest = find_manifest(folder) or {}
        version = manifest.get(f"{name}_version")
        return None if version is None else str(version)


def installed_versions() -> dict[str, str | None]:
    """List the version of each package; None for one that is not installed."""
    return {name: _find_version(name) for name in _COMPUTING}


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
