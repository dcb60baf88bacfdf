"""What each step of a run date last did, so that an unchanged step can be skipped.

A step's fingerprint covers the code, the conf sections that it declares, the versions of the
tables and artifacts that it reads, and the fingerprint of its external source. The record is
written only after the step succeeded: a step that was killed has none and runs again.
"""

import json
from dataclasses import dataclass
from typing import Any

from conf.load import ResolvedConf, section_hash
from features.contracts import Table
from jobs.platform.code import code_hash
from jobs.platform.history import version_without
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import read_json, state_path, write_text
from jobs.platform.warehouse import Warehouse

_ALWAYS = ("seed", "regions", "split", "storage")


@dataclass(frozen=True)
class RunState:
    """Records of one run date, kept as JSON under storage.root/state."""

    warehouse: Warehouse

    @property
    def conf(self) -> ResolvedConf:
        """The resolved conf of the run."""
        return self.warehouse.conf

    def fingerprint(self, job: Job, chain: list[Job]) -> str:
        """Hash of everything that the job's outputs depend on."""
        tree = self.conf.tree.model_dump(mode="json")
        parts: dict[str, Any] = {
            "code": code_hash(),
            "run_date": self.conf.run_date.isoformat(),
            "conf": {name: tree[name] for name in sorted({*_ALWAYS, *job.sections})},
            "tables": {table.name: self._input_version(table, job, chain) for table in job.reads},
            "artifacts": {name: self._artifact(name) for name in job.artifacts_in},
            "external": job.external(self.conf) if job.external else None,
        }
        return section_hash(parts)

    def why_run(self, job: Job, fingerprint: str) -> str | None:
        """Why the step must run, or None where its record says that nothing changed."""
        record = read_json(state_path(self.warehouse, job))
        if record is None:
            return "never finished for this run date"
        if record["fingerprint"] != fingerprint:
            return "inputs, conf or code changed"
        missing = [t.name for t in job.writes if t.name in record["outputs"] and not self._has(t)]
        if missing:
            return f"outputs {missing} are gone"
        changed = [n for n in job.artifacts_out if self._artifact(n) != record["artifacts"].get(n)]
        return f"artifacts {changed} changed" if changed else None

    def missing_inputs(self, job: Job) -> list[str]:
        """Tables and artifacts that the job reads and that do not exist."""
        needed = [table for table in job.reads if table not in job.may_lack]
        tables = [table.name for table in needed if not self._has(table)]
        return tables + [name for name in job.artifacts_in if self._artifact(name) is None]

    def last_report(self, job: Job) -> dict[str, Any]:
        """The report of the step's last success."""
        record = read_json(state_path(self.warehouse, job))
        report: dict[str, Any] = record["report"] if record else {}
        return report

    def record(self, job: Job, fingerprint: str, report: JobReport) -> None:
        """Note that the step succeeded."""
        content = {
            "fingerprint": fingerprint,
            "outputs": report.outputs,
            "artifacts": {name: self._artifact(name) for name in job.artifacts_out},
            "report": report.to_json(),
        }
        write_text(state_path(self.warehouse, job), json.dumps(content, indent=1, default=str))

    def _input_version(self, table: Table, job: Job, chain: list[Job]) -> Any:
        """For a per-run table what its maker last did on this run date (other dates do not
        matter); for an entity table, or without a record, the table's version.

        What the step itself, or a step after it, added to a table that steps before it make, too,
        is no input of it: labels of a model do not make the grades of people new."""
        if "run_date" in table.key:
            makers = [maker for maker in chain if table in maker.writes]
            records = [read_json(state_path(self.warehouse, maker)) for maker in makers]
            versions = [r["outputs"].get(table.name) for r in records if r]
            if versions:
                return versions
        if not self._has(table):
            return None
        names = [step.name for step in chain]
        later = chain[names.index(job.name) :] if job.name in names else [job]
        own = [step.name for step in later if table in step.writes]
        if not own:
            return self.warehouse.version(table)
        return version_without(self.warehouse.delta(table), own)

    def _has(self, table: Table) -> bool:
        return self.warehouse.exists(table)

    def _artifact(self, name: str) -> str | None:
        """The version in the artifact's manifest: a hash of its content, not of its timings."""
        folder = {"snapshot": self.warehouse.snapshot_dir, "model": self.warehouse.model_dir}[name]
        manifest = read_json(folder() / "manifest.json")
        return str(manifest[f"{name}_version"]) if manifest else None
