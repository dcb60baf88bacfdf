"""What deploys: the bundle, the wheel's requirements, and the conf that they name.

The bundle's own schema sees none of this.
"""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from conf.load import load_conf
from features.contracts import Table
from features.contracts.table import declare_required
from jobs.command.arguments import nightly_parser
from jobs.nightly import select_steps
from jobs.platform.bundle import ChainOrderError, bundle_tasks, needed_steps, with_tasks
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.registry import CHAIN, load_job

REPOSITORY = Path(__file__).parents[2]
WITH_UNITY_CATALOG = {"SINGLE_USER", "USER_ISOLATION"}


@pytest.fixture(scope="module")
def bundle() -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / "databricks.yml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def job(bundle: dict[str, Any]) -> dict[str, Any]:
    return dict(bundle["resources"]["jobs"]["counterpoise_nightly"])


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")))


def names(requirements: list[str]) -> set[str]:
    return {Requirement(requirement).name for requirement in requirements}


# --- the wheel ----------------------------------------------------------------------------------


def test_the_wheel_leaves_the_platforms_spark_and_versions_alone(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    asked = {"": project["project"]["dependencies"], **extras}
    for extra, requirements in asked.items():
        assert extra == "local" or not names(requirements) & {"pyspark", "delta-spark"}, extra
        exact = [
            r for r in requirements if any(s.operator == "==" for s in Requirement(r).specifier)
        ]
        assert exact == [], extra
    assert names(extras["local"]) == {"pyspark", "delta-spark"}


def test_the_wheel_installs_on_the_runtimes_python(project: dict[str, Any]) -> None:
    admitted = SpecifierSet(project["project"]["requires-python"])
    assert [v for v in ("3.10", "3.11.0", "3.12.3", "3.13.0") if v in admitted] == [
        "3.11.0",
        "3.12.3",
    ]


# --- the bundle ---------------------------------------------------------------------------------


def test_production_has_one_place_one_identity_and_owners(bundle: dict[str, Any]) -> None:
    prod = bundle["targets"]["prod"]
    assert prod["workspace"]["root_path"].startswith("/Workspace/")
    assert "current_user" not in prod["workspace"]["root_path"]
    assert prod["run_as"]["service_principal_name"]
    assert {entry["level"] for entry in prod["permissions"]} == {"CAN_MANAGE"}


def test_each_cluster_reaches_unity_catalog(job: dict[str, Any]) -> None:
    for entry in job["job_clusters"]:
        cluster = entry["new_cluster"]
        assert cluster.get("data_security_mode") in WITH_UNITY_CATALOG


def test_nodes_are_variables_and_the_runtime_brings_torch(bundle: dict[str, Any]) -> None:
    for entry in bundle["resources"]["jobs"]["counterpoise_nightly"]["job_clusters"]:
        cluster = entry["new_cluster"]
        for key in ("spark_version", "node_type_id", "driver_node_type_id"):
            assert cluster.get(key, "").startswith("${var."), key
    assert "-ml-" in bundle["variables"]["spark_version"]["default"]


def test_every_variable_that_is_used_is_declared(bundle: dict[str, Any]) -> None:
    text = yaml.safe_dump(bundle)
    used = {part.split("}")[0] for part in text.split("${var.")[1:]}
    assert used == set(bundle["variables"])


def test_the_tasks_are_those_of_the_chain() -> None:
    """`make bundle` mends it."""
    text = (REPOSITORY / "databricks.yml").read_text(encoding="utf-8")
    assert with_tasks(text, [load_job(step) for step in CHAIN]) == text


def test_each_tasks_parameters_are_understood(job: dict[str, Any]) -> None:
    steps = []
    for task in job["tasks"]:
        given = task["python_wheel_task"]["parameters"]
        assert given[0] == "nightly"
        arguments = nightly_parser().parse_args(
            [g.replace("{{job.parameters.run_date}}", "2026-03-01") for g in given[1:]]
        )
        assert (arguments.conf, arguments.run_date) == (["${var.conf}"], "2026-03-01")
        steps += select_steps(arguments.first, arguments.only)
        assert steps[-1] == task["task_key"]
    assert steps == list(CHAIN)
    assert [parameter["name"] for parameter in job["parameters"]] == ["run_date"]


def test_each_tasks_entry_point_raises_where_the_run_failed(
    job: dict[str, Any], project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel task drops what the entry point returns."""
    monkeypatch.setattr("sys.argv", ["counterpoise", "nightly", "--conf", "absent.yaml"])
    for name in {task["python_wheel_task"]["entry_point"] for task in job["tasks"]}:
        script = EntryPoint(name, project["project"]["scripts"][name], "console_scripts")
        with pytest.raises(SystemExit) as ended:
            script.load()()
        assert ended.value.code == 2


def test_each_task_has_the_wheel_and_what_its_extras_ask_for(
    job: dict[str, Any], project: dict[str, Any]
) -> None:
    extras = project["project"]["optional-dependencies"]
    wanted = {*extras["encoder"], *extras["labelers"], *extras["tracking"]}
    lines = (REPOSITORY / "requirements-databricks.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if not line.startswith("#")} == wanted - {
        "counterpoise[encoder]"
    }
    for task in job["tasks"]:
        assert {"whl": "./dist/*.whl"} in task["libraries"]
        assert {"requirements": "./requirements-databricks.txt"} in task["libraries"]


def test_the_conf_keeps_to_what_the_runtime_has(tmp_path: Path) -> None:
    tree = load_conf([REPOSITORY / "conf" / "databricks.yaml"]).tree
    assert tree.spark.master is None and tree.spark.delta_jars == "provided"
    assert tree.feed.engine != "petastorm"  # which would replace the runtime's numpy and pyarrow
    places = (tree.storage.root, tree.encoder.path)
    assert all(str(place).startswith("/Volumes/") for place in places)


# --- the generator ------------------------------------------------------------------------------


def step(name: str, reads: str = "", writes: str = "", may_lack: str = "") -> Job:
    def tables(letters: str) -> tuple[Table, ...]:
        columns = declare_required([("a", "long", "a")])
        return tuple(Table(letter, "one row per a", columns, key=("a",)) for letter in letters)

    def run(run: Run) -> None:
        raise NotImplementedError

    given = {"reads": tables(reads), "writes": tables(writes), "may_lack": tables(may_lack)}
    return Job(run, f"does {name}", name=name, **given)


def test_a_task_depends_on_who_makes_what_it_reads_and_on_the_step_before() -> None:
    steps = [
        step("one", "", "ax"),
        step("two", "a", "b"),
        step("three", "x", "c", may_lack="x"),
        step("four", "ab", "d"),
    ]
    assert [needed_steps(one, steps) for one in steps] == [
        [],
        ["one"],
        ["one", "two"],
        ["one", "two", "three"],
    ]
    assert bundle_tasks(steps)[2]["depends_on"] == [{"task_key": "one"}, {"task_key": "two"}]


def test_a_step_before_the_maker_of_what_it_reads_is_refused() -> None:
    with pytest.raises(ChainOrderError, match=r"step one reads \['a'\], which later steps make"):
        bundle_tasks([step("one", "a"), step("two", "", "a")])
    assert bundle_tasks([step("one", "a", may_lack="a"), step("two", "", "a")])
