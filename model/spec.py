"""What a model takes and what it predicts, as the snapshot's manifest declares it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from conf.errors import UserError

REGION_FEATURE = "region_index"
RELEVANCE = "relevance"
DESCENDING = "descending"
THRESHOLDS = ("ge_1", "ge_2")
"""Of the relevance grade: each has a probability, P(grade >= 1) and P(grade >= 2)."""
FUNNEL = ("click", "cart", "purchase")
"""Steps whose order is known."""


class SpecError(UserError, ValueError):
    """The declared features or tasks cannot be used; the message says which and why."""


@dataclass(frozen=True)
class InputFeature:
    """One declared feature: the fields of `features.spec.Feature` that the manifest carries."""

    name: str
    table: Literal["query", "item", "query_item"]
    kind: Literal["numeric", "category"] = "numeric"
    default: float = 0.0
    regional: bool = False
    buckets: int = 0
    description: str = ""
    exposure: bool = False


@dataclass(frozen=True)
class InputSpec:
    """Features in the order of the input matrix, engagement tasks, and regions.

    Attributes:
        features: columns of the input matrix [N, F], in order.
        tasks: engagement tasks from the first step to the last, e.g. click, cart, purchase.
        regions: regions[i] has region_index i + 1; 0 is an unknown region.
        relevance: whether rows carry relevance grades; False: no such labels, task or outputs.
    """

    features: tuple[InputFeature, ...]
    tasks: tuple[str, ...]
    regions: tuple[str, ...] = ()
    relevance: bool = True

    def __post_init__(self) -> None:
        names = self.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if not names or twice:
            raise SpecError(
                f"features must be named once each; given twice: {twice or 'none at all'}"
            )
        unsized = [f.name for f in self.features if f.kind == "category" and f.buckets < 1]
        if unsized:
            raise SpecError(f"categories {unsized} declare no buckets")
        if not self.tasks or {RELEVANCE, DESCENDING} & set(self.tasks):
            raise SpecError(f"tasks must name engagement steps only, given {list(self.tasks)}")
        if len(set(self.tasks)) < len(self.tasks):
            raise SpecError(f"a task is named twice: {list(self.tasks)}")
        funnel = [task for task in self.tasks if task in FUNNEL]
        if funnel != [task for task in FUNNEL if task in funnel]:
            raise SpecError(f"tasks out of order: {funnel}; the steps are {list(FUNNEL)}")

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "InputSpec":
        """Read the spec in a manifest's or a model's JSON (keys features, tasks, regions, and
        relevance, which is true where it is left out).

        Raises:
            SpecError: a key is missing or a declaration has an unknown field.
        """
        try:
            features = tuple(InputFeature(**entry) for entry in content["features"])
            tasks, regions = tuple(content["tasks"]), tuple(content.get("regions", ()))
            relevance = bool(content.get("relevance", True))
        except (KeyError, TypeError) as error:
            raise SpecError(f"the declaration of the features cannot be read: {error}") from error
        return cls(features, tasks, regions, relevance)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON from which `from_json` makes an equal spec."""
        return {
            "features": [asdict(feature) for feature in self.features],
            "tasks": list(self.tasks),
            "regions": list(self.regions),
            "relevance": self.relevance,
        }

    @property
    def names(self) -> list[str]:
        """Feature names in order."""
        return [feature.name for feature in self.features]

    def mark_included(self, left_out: Sequence[str]) -> "list[bool]":
        """Mark the features that a model reads which leaves out these names and groups.

        Groups: ids (hashed categories but the region), exposure, region (all that depend on it),
        fit (`fit_positions`).

        Raises:
            SpecError: a name that is neither a feature nor a group, or no feature is left.
        """
        groups = {
            "ids": {f.name for f in self.features if f.kind == "category"} - {REGION_FEATURE},
            "exposure": {f.name for f in self.features if f.exposure},
            "region": {f.name for f in self.features if f.regional} | {REGION_FEATURE},
            "fit": {self.names[i] for i in self.fit_positions},
        }
        unknown = [name for name in left_out if name not in groups and name not in self.names]
        if unknown:
            raise SpecError(
                f"model.leave_out names {unknown}; give names of features, or groups of them: "
                f"{sorted(groups)}"
            )
        gone = {n for name in left_out for n in groups.get(name, {name})}
        included = [name not in gone for name in self.names]
        if not any(included):
            raise SpecError(f"model.leave_out {list(left_out)} leaves no feature to read")
        return included

    @cached_property
    def query_positions(self) -> list[int]:
        """Columns of the query features: one value per query."""
        return [i for i, f in enumerate(self.features) if f.table == "query"]

    @cached_property
    def candidate_positions(self) -> list[int]:
        """Columns of the item and query-item features: one value per candidate."""
        return [i for i, f in enumerate(self.features) if f.table != "query"]

    @cached_property
    def fit_positions(self) -> list[int]:
        """Columns of how well item and query fit: numbers of the pair that no region changes.

        What the log counted of a pair is by region, so these are read off the two texts alone.
        """
        return [
            i
            for i, f in enumerate(self.features)
            if f.table == "query_item" and f.kind == "numeric" and not (f.regional or f.exposure)
        ]

    @cached_property
    def region_position(self) -> int | None:
        """Column of the region's id, or None where the spec has none."""
        return self.names.index(REGION_FEATURE) if REGION_FEATURE in self.names else None

    @property
    def grades(self) -> tuple[str, ...]:
        """Thresholds of the relevance grade that the model predicts: ge_1, ge_2, or none."""
        return THRESHOLDS if self.relevance else ()

    @property
    def label_columns(self) -> list[str]:
        """Label columns of a training row, in the order of a batch's label matrix."""
        engagement = [f"{kind}_{task}" for task in self.tasks for kind in ("label", "mask")]
        grades = [f"label_{grade}" for grade in self.grades]
        relevance = [f"mask_{RELEVANCE}", f"weight_{RELEVANCE}"] if self.relevance else []
        return [*engagement, *grades, *relevance]

    @property
    def loss_tasks(self) -> tuple[str, ...]:
        """Tasks with labels: the engagement tasks, then relevance where rows carry grades."""
        return (*self.tasks, RELEVANCE) if self.relevance else self.tasks

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the predicted probabilities: p_<task> of each task, p_ge_1, p_ge_2."""
        return tuple(f"p_{name}" for name in (*self.tasks, *self.grades))


def describe_difference(expected: Sequence[str], given: Sequence[str]) -> str:
    """Tell how two lists of feature names differ, in words; empty where they do not."""
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    if missing or extra:
        return f"missing {missing}, not declared {extra}"
    return "" if list(expected) == list(given) else "same names in another order"


def describe_input_difference(expected: InputSpec, given: InputSpec) -> str:
    """Tell in words why values made for the one spec mean something else to a model of the other;
    empty where they do not.

    An id of a region is its place in `regions`, and an id of a category one of its buckets.
    """
    names = describe_difference(expected.names, given.names)
    if names:
        return names
    if expected.regions != given.regions:
        return f"regions {list(given.regions)}, now {list(expected.regions)}"
    return "; ".join(
        f"{theirs.name} is {_describe_kind(theirs)}, now {_describe_kind(ours)}"
        for ours, theirs in zip(expected.features, given.features, strict=True)
        if (ours.kind, ours.buckets) != (theirs.kind, theirs.buckets)
    )


def _describe_kind(feature: InputFeature) -> str:
    return "numeric" if feature.kind == "numeric" else f"a category of {feature.buckets} ids"
