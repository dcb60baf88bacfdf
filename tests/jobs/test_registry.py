"""What is read of a job without its module is what the module says."""

from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

import jobs.registry
from features.contracts import ITEMS, QUERIES
from jobs.platform.job import Job
from jobs.registry import CHAIN, EXTRA, load_job, parse_declaration, read_job

DECLARED = [f.name for f in fields(Job) if f.name not in ("work", "bind")]
SOURCE = """
from features.contracts import ITEMS as THINGS
from features.contracts import QUERIES

OWN = ("split",)
JOB = Job(run, summary="counts", reads=(THINGS, QUERIES), sections={sections}, alone=False)
"""


@pytest.fixture
def write_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """`write_job(text)`: the module jobs.counted, whose load is noted in `write_job.load`."""
    monkeypatch.setattr(jobs.registry, "files", lambda package: tmp_path)
    write = MagicMock(side_effect=(tmp_path / "counted.py").write_text)
    monkeypatch.setattr(jobs.registry, "load_job", write.load)
    return write


@pytest.mark.parametrize("name", [*CHAIN, *EXTRA])
def test_a_job_is_read_as_it_is_declared(name: str) -> None:
    read, loaded = read_job(name), load_job(name)
    assert [getattr(read, f) for f in DECLARED] == [getattr(loaded, f) for f in DECLARED]


def test_a_job_is_loaded_when_it_runs(write_job: MagicMock) -> None:
    write_job(SOURCE.format(sections='("seed",)'))
    job = read_job("counted")
    assert (job.name, job.summary, job.alone) == ("counted", "counts", False)
    assert (job.reads, job.sections) == ((ITEMS, QUERIES), ("seed",))
    assert not write_job.load.called
    run = SimpleNamespace()
    job.work(run)  # type: ignore[arg-type]
    write_job.load.return_value.work.assert_called_once_with(run)


@pytest.mark.parametrize("sections", ["OWN", '(*OWN, "seed")', 'OWN + ("seed",)'])
def test_a_job_that_declares_what_its_module_makes_is_loaded(
    write_job: MagicMock, sections: str
) -> None:
    write_job(SOURCE.format(sections=sections))
    assert read_job("counted") is write_job.load.return_value


def test_a_module_without_a_job_is_named(write_job: MagicMock) -> None:
    write_job("JOBS = ()")
    with pytest.raises(LookupError, match=r"jobs/counted\.py has no JOB"):
        parse_declaration("counted")
