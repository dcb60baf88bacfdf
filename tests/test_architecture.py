"""The folders keep to what they may import, and Spark code stays Connect-safe."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
OURS = ("conf", "features", "model", "udfs", "jobs")
MAY_IMPORT = {
    "conf": {"conf"},
    "features": {"conf", "features"},
    "model": {"conf", "model"},
    "udfs": {"conf", "model", "udfs"},
    "jobs": set(OURS),
}
BANNED = {"features": {"torch", "transformers", "petastorm"}, "model": {"pyspark", "delta"}}
LAUNCHER = "model/training/launcher.py"
NOT_CONNECT_SAFE = {"sparkContext", "rdd", "_jvm", "_jdf", "_jsc", "_sc"}
UNSAFE_LOADERS = {("torch", "load"), ("pickle", "load"), ("pickle", "loads"), ("yaml", "load")}


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        yield str(path.relative_to(REPOSITORY)), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_what_they_may(package: str) -> None:
    wrong = [
        f"{name} imports {module}"
        for name, tree in modules(package)
        for module in imports(tree)
        if (module.split(".")[0] in OURS and module.split(".")[0] not in MAY_IMPORT[package])
        or (module.split(".")[0] in BANNED.get(package, set()) and name != LAUNCHER)
    ]
    assert wrong == []


def test_no_job_imports_another_job() -> None:
    rooms = (
        "platform",
        "command",
        "state",
        "delta",
        "experiments",
        "labels",
        "reports",
        "serving",
        "sources",
        "text",
    )
    shared = (*(f"jobs.{room}" for room in rooms), "jobs.registry")
    wrong = [
        f"{name} imports {module}"
        for name, tree in modules("jobs")
        if name != "jobs/nightly.py"
        for module in imports(tree)
        if module.startswith("jobs.") and not module.startswith(shared)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", OURS)
def test_spark_code_is_connect_safe(package: str) -> None:
    wrong = [
        f"{name}:{node.lineno} .{node.attr}"
        for name, tree in modules(package)
        if name != LAUNCHER
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in NOT_CONNECT_SAFE
    ]
    assert wrong == []


@pytest.mark.parametrize("package", OURS)
def test_nothing_unpickles_or_loads_yaml_unsafely(package: str) -> None:
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in UNSAFE_LOADERS
    ]
    assert wrong == []


@pytest.mark.parametrize("package", OURS)
def test_files_are_written_whole(package: str) -> None:
    """Volumes and object stores, where storage.root may lie, refuse to append, update or seek."""
    wrong = [
        f"{name} line {node.lineno}"
        for name, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (_updates(node) or _called(node) in ("seek", "truncate"))
    ]
    assert wrong == []


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _updates(call: ast.Call) -> bool:
    """Whether it opens a file to append to it, or to change what is in it."""
    given = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    modes = [arg.value for arg in given if isinstance(arg, ast.Constant)]
    return _called(call) in ("open", "fdopen") and any(
        isinstance(mode, str) and set(mode) <= set("rwaxbt+") and set(mode) & set("a+")
        for mode in modes
    )


@pytest.mark.parametrize("package", OURS)
def test_every_package_is_in_the_wheel(package: str) -> None:
    declared = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    folders = {
        str(path.parent.relative_to(REPOSITORY)).replace("/", ".")
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert [name for name in sorted(folders) if f'"{name}"' not in declared] == []
