"""What a job declares is what its code touches: tables, conf sections and folders.

The code is read, not run: from a job's `run` every function, class and constant that it names is
followed through our packages, a method where an attribute of its name is used on the way.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

import features.contracts
from conf.schema import Conf
from features.contracts import Table
from jobs.registry import CHAIN, EXTRA, load_job
from jobs.state.run_state import ALWAYS

REPOSITORY = Path(__file__).parents[3]
PACKAGES = ("features", "model", "udfs", "jobs")
TABLES = {name: t.name for name, t in vars(features.contracts).items() if isinstance(t, Table)}
SECTIONS = set(Conf.model_fields)
WRITES = ("append", "merge", "replace", "replace_run")
FOLDERS = {"snapshot_dir": "snapshot", "model_dir": "model", "judging_dir": "judging"}
BY_NAME = {
    "jobs.sources.base.load_adapter": ("jobs.sources.", ("read", "fingerprint")),
    "model.labelers.build.build_labeler": ("model.labelers.", ("build",)),
    "model.feed.engines.load_engine": ("model.feed.", ("read_files",)),
}
"""Functions that import a module by name: where such modules are, and what is called of them."""

NO_OUTPUT = {
    "name": "a title",
    "run_date": "each run date has its own record",
    "spark": "how the work is spread, not what it makes",
    "tracking": "where a training is told of",
}
"""Sections that no output depends on."""

UNDECLARED = {
    ("admit_model", "value_weights"): "of earlier run dates; tonight's are tuned for its model",
}
"""What a job touches and must not depend on."""

Unit = tuple[str, str]


@dataclass
class Touched:
    """Names of tables, of tables written, of sections and of artifacts."""

    tables: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    sections: set[str] = field(default_factory=set)
    artifacts: set[str] = field(default_factory=set)


class Module:
    """The top-level definitions of a file, and what its imported names mean."""

    def __init__(self, path: Path) -> None:
        self.units: dict[str, ast.AST] = {}
        self.imports: dict[str, str] = {}
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                self.imports |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.units[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = (n for target in targets for n in ast.walk(target))
                self.units |= {n.id: node.value for n in names if isinstance(n, ast.Name)}


class Code:
    """All modules of packages below a folder."""

    def __init__(self, root: Path) -> None:
        self.modules: dict[str, Module] = {}
        for path in (path for package in PACKAGES for path in (root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            self.modules[".".join(parts).removesuffix(".__init__")] = Module(path)

    def touched(self, job: str) -> Touched:
        """What the job's code touches, from its `run` and `bind` on."""
        module = f"jobs.{job}"
        call = self.modules[module].units["JOB"]
        assert isinstance(call, ast.Call)
        given = [call.args[0], *(k.value for k in call.keywords if k.arg == "bind")]
        touched = Touched()
        units, used = self._reach([(module, n.id) for n in given if isinstance(n, ast.Name)])
        for name, unit in units:
            for body in self._bodies((name, unit), used):
                self._note(name, body, touched)
        return touched

    def _reach(self, roots: list[Unit]) -> tuple[set[Unit], set[str]]:
        """Units that are reached, and names of the attributes that are used in them."""
        units: set[Unit] = set()
        used: set[str] = set()
        size = -1
        while size != len(units) + len(used):  # a new attribute may be a method of a unit before it
            size = len(units) + len(used)
            todo, done = [*roots, *units], set()
            while todo:
                unit = todo.pop()
                if unit in done:
                    continue
                done.add(unit)
                todo += self._by_name(".".join(unit))
                for body in self._bodies(unit, used):
                    named, attributes = self._uses(unit[0], body)
                    used |= attributes
                    todo += named
            units |= done
        return units, used

    def _by_name(self, function: str) -> list[Unit]:
        prefix, names = BY_NAME.get(function, ("-", ()))
        modules = ((m, found) for m, found in self.modules.items() if m.startswith(prefix))
        return [(m, name) for m, found in modules for name in names if name in found.units]

    def _bodies(self, unit: Unit, used: set[str]) -> Iterator[ast.AST]:
        """The unit's code; of a class the parts beside methods, and the methods that are used."""
        node = self.modules[unit[0]].units[unit[1]]
        if not isinstance(node, ast.ClassDef):
            yield node
            return
        yield from (*node.bases, *node.decorator_list)
        for part in node.body:
            name = getattr(part, "name", "__")
            if name.startswith("__") or name in used:
                yield part

    @cache  # noqa: B019 one object, as long as the tests
    def _uses(self, module: str, body: ast.AST) -> tuple[set[Unit], set[str]]:
        """Units that a piece of code names, and the attributes that it uses."""
        units, attributes = set(), set()
        for node in ast.walk(body):
            found = None
            if isinstance(node, ast.Name):
                found = self._resolve(module, node.id)
            elif isinstance(node, ast.Attribute):
                attributes.add(node.attr)
                outer = self._resolve(module, getattr(node.value, "id", ""))
                if outer and not outer[1]:
                    found = self._resolve(outer[0], node.attr)
            if found and found[1]:
                units.add(found)
        return units, attributes

    def _resolve(self, module: str, name: str) -> Unit | None:
        """Module and unit that a name means, through any number of imports; no unit: a module."""
        here = self.modules.get(module)
        if here is None or name in here.units:
            return (module, name) if here else None
        target = here.imports.get(name, "")
        if target in self.modules:
            return target, ""
        return self._resolve(*target.rsplit(".", 1)) if "." in target else None

    def _note(self, module: str, body: ast.AST, touched: Touched) -> None:
        outer = {child: node for node in ast.walk(body) for child in ast.iter_child_nodes(node)}
        trees = _names_of_the_tree(body)
        for node in ast.walk(body):
            if isinstance(node, ast.Name) and node.id in TABLES:
                read = not isinstance(outer.get(node), ast.Attribute)  # X.name reads no table
                touched.tables |= (
                    {TABLES[node.id]} if read and module.startswith("jobs.") else set()
                )
            elif isinstance(node, ast.Attribute):
                of = getattr(node.value, "attr", getattr(node.value, "id", ""))
                if node.attr in SECTIONS and (of == "tree" or of in trees):
                    touched.sections.add(node.attr)
                if node.attr == "source" and of == "conf":  # of a resolved conf
                    touched.sections.add("source")
                if node.attr in FOLDERS:
                    touched.artifacts.add(FOLDERS[node.attr])
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in WRITES:
                first = getattr(node.args[0], "id", "") if node.args else ""
                touched.written |= {TABLES[first]} if first in TABLES else set()


def _names_of_the_tree(body: ast.AST) -> set[str]:
    """Parameters and fields annotated `Conf`, and names that a `.tree` is given to."""
    found = {
        getattr(n, "arg", "") or getattr(getattr(n, "target", None), "id", "")
        for n in ast.walk(body)
        if isinstance(n, ast.arg | ast.AnnAssign) and getattr(n.annotation, "id", "") == "Conf"
    }
    for node in ast.walk(body):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            found |= {getattr(t, "id", "") for t, v in pairs if getattr(v, "attr", "") == "tree"}
    return found


@cache
def code() -> Code:
    return Code(REPOSITORY)


@pytest.mark.parametrize("name", [*CHAIN, *EXTRA])
def test_a_job_declares_what_its_code_touches(name: str) -> None:
    job, touched = load_job(name), code().touched(name)
    excused = {thing for excused, thing in UNDECLARED if excused == name}
    reads, writes = ({t.name for t in tables} for tables in (job.reads, job.writes))
    assert touched.tables - excused == reads | writes
    assert touched.written <= writes
    sections = touched.sections - set(ALWAYS) - set(NO_OUTPUT)
    assert sections - excused == set(job.sections)
    assert touched.artifacts == {*job.artifacts_in, *job.artifacts_out}
