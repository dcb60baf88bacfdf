"""An experiment: what it asks, on which data, which arms, seeds and search."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.sections.base import Section
from conf.sections.baselines import Arm as Baseline
from conf.sections.value import Weights

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+-]*$")]
Plain = str | int | float | bool | None | list[int] | list[float] | list[str]
Settings = dict[str, Plain]
Seed = Annotated[int, Field(ge=1)]
DRAW = "@"
"""Between the name of a data set and the seed of a draw of it."""


class DataConf(Section):
    """One data set of an experiment: a snapshot with the splits train, validation and test."""

    files: tuple[str, ...] = Field((), description="conf layers, paths from the experiment's file")
    set: Settings = Field(default_factory=dict, description="settings over them, by dotted key")
    folder: str | None = Field(
        None, description="folder of a snapshot that is there already; null: made from the conf"
    )
    simulated: bool = Field(description="engagement or grades are simulated")
    rows: int | None = Field(
        None, ge=1, description="rows of train at most, whole units (count); null: all"
    )
    draws: tuple[Seed, ...] = Field(
        (),
        description="seeds that the data are drawn with: each makes a data set of its own, and the "
        "arms are compared over them; empty: one data set",
    )
    seeds: tuple[Seed, ...] | None = Field(
        None, min_length=1, description="seeds of its trainings; null: the experiment's"
    )

    @model_validator(mode="after")
    def _draws_can_be_made(self) -> Self:
        if self.draws and self.folder is not None:
            raise ValueError("draws are made from the conf: leave `folder` out")
        if len(set(self.draws)) < len(self.draws):
            raise ValueError(f"draws {list(self.draws)} hold one twice")
        return self

    def by_name(self, name: str) -> "dict[str, DataConf]":
        """Return the data set itself, or each of its draws, whose seed is part of its name."""
        if not self.draws:
            return {name: self}
        return {
            f"{name}{DRAW}{draw}": self.model_copy(
                update={"draws": (), "set": self.set | {"seed": draw}}
            )
            for draw in self.draws
        }


class RankingConf(Section):
    """How the saved predictions of an arm become one order of a list."""

    relevance: Literal["none", "picked", "only"] | float = Field(
        "none",
        description="weight of relevance / 2: none: 0; picked: by the rule of conf `value` on "
        "validation lists; only: relevance alone; or a number",
    )
    by_region: bool = Field(False, description="picked: each region takes a weight of its own")
    calibrated: bool = Field(True, description="the sum is taken over calibrated probabilities")
    weights: Weights | None = Field(None, description="engagement weights; null: conf `value`")
    rule: Literal["max_engagement", "max_relevance"] | None = Field(
        None, description="rule of the pick; null: conf `value`"
    )
    tau: float | None = Field(
        None, ge=0, le=1, description="least relevance NDCG@k (fraction); null: conf `value`"
    )
    engagement_loss: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest relative loss of engagement NDCG@k (fraction); null: conf `value`",
    )


class ArmConf(Section):
    """One arm: settings over the data set's conf, what scores, and how it ranks."""

    settings: Settings = Field(
        default_factory=dict, description="settings of the training, by dotted key of the conf"
    )
    ranking: RankingConf | None = Field(
        None,
        description="the order that the `value` figures judge; null: only the tasks are judged",
    )
    choose: tuple[str, ...] | None = Field(
        None, description="validation figures of the search; null: the experiment's"
    )
    sized: bool = Field(True, description="widths are solved for the reference's parameters")
    oracle: Literal["truth", "blind"] | None = Field(
        None,
        description="planted probabilities score, nothing is trained: truth: of the query's region "
        "(no model can rank better); blind: their mean over the regions (no model that is not told "
        "the region can); null: none",
    )
    baseline: Baseline | None = Field(
        None, description="a baseline of model.baselines scores, no network; null: none"
    )
    against: str | None = Field(
        None, description="arm that it is compared with; null: the experiment's reference"
    )

    @property
    def network(self) -> bool:
        """Whether a network is trained."""
        return self.oracle is None and self.baseline is None

    @model_validator(mode="after")
    def _scorer_can_rank(self) -> Self:
        if self.oracle and self.baseline:
            raise ValueError("an arm is an oracle or a baseline, not both")
        if self.oracle and self.ranking is not None and self.ranking.relevance != "none":
            raise ValueError("an oracle knows engagement only: leave ranking.relevance at none")
        return self


class SearchConf(Section):
    """The search that every arm gets: the same trials, on validation lists, with one seed."""

    grid: dict[str, list[float] | list[int] | list[str]] = Field(
        default_factory=dict, description="values tried, by dotted key of the conf"
    )
    trials: int = Field(
        1, ge=1, description="points of the grid tried per arm (count); the first is the conf's own"
    )
    seed: int = Field(101, ge=1, description="seed of the trials' trainings and of their draw")
    choose: tuple[str, ...] = Field(
        min_length=1, description="validation figures, higher is better, whose mean is compared"
    )

    @field_validator("grid")
    @classmethod
    def _values_are_given(
        cls, grid: dict[str, list[float] | list[int] | list[str]]
    ) -> dict[str, list[float] | list[int] | list[str]]:
        empty = [key for key, values in grid.items() if not values]
        if empty:
            raise ValueError(f"no values to try for {empty}")
        return grid


class ReplicatesConf(Section):
    """Intervals."""

    replicates: int = Field(1_000, ge=10, description="bootstrap replicates (count)")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the intervals (fraction)")
    seed: int = Field(17, ge=1, description="seed of the draws")


class ExperimentConf(Section):
    """One file of conf/experiments."""

    name: Name = Field(description="name of the experiment and of its folder")
    asks: str = Field(min_length=1, description="the question, in a sentence")
    paper: str = Field(min_length=1, description="what the papers report, with its source mark")
    data: dict[Name, DataConf] = Field(min_length=1, description="data sets by name")
    use: tuple[str, ...] | None = Field(None, description="data sets used; null: all")
    base: Settings = Field(
        default_factory=dict, description="settings of every arm, by dotted key of the conf"
    )
    arms: dict[Name, ArmConf] = Field(min_length=1, description="arms by name")
    reference: str = Field(description="arm that the others are compared with")
    seeds: tuple[Seed, ...] = Field(
        (1, 2, 3, 4, 5), min_length=1, description="seeds of the trainings"
    )
    search: SearchConf = Field(description="choice of the settings that are no part of the arms")
    parameters: int | None = Field(
        None, ge=1, description="trained parameters of a sized arm (count); null: the reference's"
    )
    headline: tuple[str, ...] = Field(
        min_length=1, description="figures that the table and the plots lead with"
    )
    bootstrap: ReplicatesConf = Field(default_factory=ReplicatesConf, description="intervals")
    workers: int = Field(
        2,
        ge=0,
        description="training processes, one torch thread each (count); 0: in the driver itself",
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for name in (self.reference, *(arm.against for arm in self.arms.values() if arm.against)):
            if name not in self.arms:
                raise ValueError(f"reference {name!r} is none of the arms {list(self.arms)}")
        if not self.arms[self.reference].network:
            raise ValueError(f"reference {self.reference!r} must be a network: it gives the size")
        unknown = [name for name in self.use or () if name not in self.data]
        if unknown:
            raise ValueError(f"use names {unknown}, there are {list(self.data)}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} hold one twice")
        return self

    @property
    def used(self) -> dict[str, DataConf]:
        """The data sets that are used, by name; each draw is one of its own."""
        given = {name: self.data[name] for name in self.use or self.data}
        return {one: data for name in given for one, data in given[name].by_name(name).items()}

    @property
    def pooled(self) -> dict[str, list[str]]:
        """Names of the draws of each used data set that has some."""
        given = {name: self.data[name] for name in self.use or self.data}
        return {name: list(data.by_name(name)) for name, data in given.items() if data.draws}

    @property
    def references(self) -> dict[str, str]:
        """By arm the one that it is compared with; the reference itself is not among them."""
        compared = {name: arm.against or self.reference for name, arm in self.arms.items()}
        return {name: other for name, other in compared.items() if name != other}
