"""All jobs, in the order of the nightly chain, and how much of a job's module is loaded.

The names alone are read without Spark, and what a job declares without what its work needs.
"""

import ast
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.platform.job import Job
    from jobs.platform.run import Run

CHAIN: tuple[str, ...] = (
    "ingest",
    "import_features",
    "import_labels",
    "embed_texts",
    "read_texts",
    "finetune_labeler",
    "admit_labeler",
    "build_candidates",
    "compare_pairs",
    "label_pairs",
    "build_features",
    "build_scoring_rows",
    "build_training_set",
    "train",
    "admit_model",
    "score_examples",
    "tune_value_model",
    "score_catalog",
    "evaluate",
    "check_market",
)
EXTRA: tuple[str, ...] = (
    "reweight",
    "adopt_weights",
    "revoke_labeler",
    "audit_labels",
    "sample_for_judgment",
    "import_judgments",
)


def load_job(name: str) -> "Job":
    """Load the `JOB` of module jobs.<name>."""
    from jobs.platform.job import Job

    job = import_module(f"jobs.{name}").JOB
    if not isinstance(job, Job):
        raise TypeError(f"jobs.{name}.JOB is a {type(job).__name__}, not a Job")
    return job


def read_job(name: str) -> "Job":
    """Read the job of module jobs.<name> as it is declared; the module is loaded when it runs.

    So a night in which every step is skipped loads no torch. A declaration of more than literals
    and imported names needs its module, which is then loaded at once. Arguments of the job's own
    (`bind`) are not read.
    """
    from jobs.platform.job import Job

    module, call = parse_declaration(name)
    given = {k.arg: k.value for k in call.keywords if k.arg is not None and k.arg != "bind"}
    imported = _list_imported(module)
    try:
        declared = {argument: _find_value(value, imported) for argument, value in given.items()}
    except _ModuleNeededError:
        return load_job(name)

    def work(run: "Run") -> None:
        load_job(name).work(run)

    return Job(work, name=name, **declared)


def parse_declaration(name: str) -> tuple[ast.Module, ast.Call]:
    """Parse module jobs.<name>, and find the call in its `JOB = Job(...)`.

    Raises:
        LookupError: the module has none.
    """
    module = ast.parse(files("jobs").joinpath(f"{name}.py").read_text(encoding="utf-8"))
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="JOB")], value=ast.Call() as call):
                return module, call
    raise LookupError(f"jobs/{name}.py has no JOB = Job(...)")


class _ModuleNeededError(LookupError):
    """A value of a declaration is known to the job's own module alone."""


def _list_imported(module: ast.Module) -> dict[str, tuple[str, str]]:
    """List what the module imports by name: the module that it comes from, and its name there."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _find_value(node: ast.expr, imported: dict[str, tuple[str, str]]) -> Any:
    """Find the value of a literal, an imported name, or a tuple of them.

    Raises:
        _ModuleNeededError: it is something else; the message is its code.
    """
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=parts):
            return tuple(_find_value(part, imported) for part in parts)
        case ast.Name(id=name) if name in imported:
            source, attribute = imported[name]
            return getattr(import_module(source), attribute)
    raise _ModuleNeededError(ast.unparse(node))
