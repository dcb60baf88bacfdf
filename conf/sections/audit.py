"""How human grades are audited, and how pairs are chosen for raters and their answers resolved."""

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.sections.base import Section
from conf.sections.labelers import LabelerKind

Resolution = Literal["median", "majority", "drop_spread"]


class ContradictionConf(Section):
    """The test of engagement against the human grade."""

    days: int = Field(90, ge=1, description="days of log before the run date that count (days)")
    fdr: float = Field(
        0.1, gt=0, lt=1, description="false discovery rate of the flagged pairs (fraction)"
    )
    min_expected_clicks: float = Field(
        3.0,
        gt=0,
        description="a pair is tested where at least this many clicks are expected of its grade "
        "(clicks)",
    )
    prior_clicks: float = Field(
        5.0,
        gt=0,
        description="strength that pulls the attraction of an item, and of a query, towards the "
        "average (expected clicks)",
    )
    outlier_p: float = Field(
        1e-3,
        gt=0,
        lt=0.5,
        description="pairs below this p-value are left out when the rates are estimated again",
    )
    passes: int = Field(
        3, ge=1, le=10, description="rounds of estimating rates and spreads (count)"
    )


class RereadConf(Section):
    """The model that reads pairs again."""

    labeler: str | None = Field(
        None,
        description="folder of a fitted labeler that the workers can read; null: labelers are "
        "fitted on the human grades, out of fold over query texts",
    )
    held_out: bool = Field(
        False,
        description="true: the labeler of `labeler` never saw the audited grades; false: it may "
        "have, and every decision that rests on it says so",
    )
    kind: LabelerKind = Field("lexical", description="labeler that is fitted out of fold")
    folds: int = Field(3, ge=2, le=20, description="folds of query texts (count)")
    max_fit_pairs: int = Field(
        50_000, ge=10, description="pairs that a fold's labeler is fitted on at most (count)"
    )
    scope: Literal["flagged", "all"] = Field(
        "all",
        description="pairs that are read again; flagged: those that engagement contradicts; all: "
        "every tested pair, so that the model finds wrong grades by itself, too",
    )
    doubt: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="the model flags a pair by itself where it gives the human grade at most this "
        "probability",
    )


class TaxonomyConf(Section):
    """Item types, and which of them a query is for."""

    types: Literal["source", "titles"] = Field(
        "source", description="item types of the source, or derived from the titles for all items"
    )
    min_type_items: int = Field(
        5, ge=1, description="a phrase of titles counts as a type from this many items on (count)"
    )
    grade_weight: float = Field(1.0, ge=0, description="evidence of an item of grade 2 (votes)")
    cart_weight: float = Field(0.5, ge=0, description="evidence of an item that was carted (votes)")
    text_weight: float = Field(
        2.0, ge=0, description="evidence of a type that the query text names (votes)"
    )
    min_evidence: float = Field(
        2.0, gt=0, description="votes from which the types of a query are known (votes)"
    )
    fits_from: float = Field(
        0.2, gt=0, le=1, description="share of the votes from which the item's type fits (fraction)"
    )
    misfit_to: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of the votes up to which the item's type does not fit (fraction)",
    )

    @model_validator(mode="after")
    def _check_bounds_apart(self) -> Self:
        if not self.misfit_to < self.fits_from:
            raise ValueError("misfit_to must lie below fits_from")
        return self


class AuditConf(Section):
    """`audit_labels`: contradiction by engagement, second reading, taxonomy."""

    contradiction: ContradictionConf = Field(
        default_factory=ContradictionConf, description="engagement against the grade"
    )
    reread: RereadConf = Field(default_factory=RereadConf, description="second reading by a model")
    taxonomy: TaxonomyConf = Field(default_factory=TaxonomyConf, description="query types")
    agreeing: bool = Field(
        True,
        description="true: where engagement and model both speak against the human grade, in the "
        "same direction, the model's grade is taken before the taxonomy is asked",
    )


class JudgingConf(Section):
    """Pairs for raters and what becomes of their answers."""

    budget: int = Field(500, ge=1, description="pairs sampled for raters (count)")
    uncertain_share: float = Field(
        0.5, ge=0, le=1, description="share of the budget for pairs that the labeler doubts"
    )
    contradicted_share: float = Field(
        0.3, ge=0, le=1, description="share of the budget for pairs whose engagement contradicts"
    )
    head_share: float = Field(
        0.5, gt=0, lt=1, description="head queries: the most shown that make this share of the log"
    )
    long_query: int = Field(3, ge=1, description="a query is long from this many words on (count)")
    rule: Resolution = Field(
        "median",
        description="median (of two middle answers the lower); majority, of a tie the lower; "
        "drop_spread: the median, and no grade where answers lie two grades apart",
    )
    min_raters: int = Field(2, ge=1, description="answers that a pair needs to be resolved (count)")
    answers: tuple[str, ...] = Field(
        (), description="CSV files of answers; empty: all in judging/<run date>/answers"
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.uncertain_share + self.contradicted_share > 1:
            raise ValueError("uncertain_share and contradicted_share exceed the whole budget")
        return self
