"""Fitting, admitting and using the labeler: gold set, mix of grades, gate, budget."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.sections.base import Section

Mix = tuple[float, float, float]


class MixConf(Section):
    """Grades among the pairs that a labeler is fitted on, and the correction of its answers."""

    sampling: Literal["production", "balanced", "given"] = Field(
        "production",
        description="grades of the fitted pairs; production: as judged; balanced: as many of each "
        "as the rarest has; given: the shares of `given`",
    )
    given: Mix = Field((0.1, 0.4, 0.5), description="shares of grade 0, 1, 2 (fractions)")
    correct: bool = Field(
        True, description="correct the answers from the mix fitted on to production's"
    )
    production: Literal["judged", "stratified", "em"] = Field(
        "judged",
        description="production's mix; judged: of all human grades of training queries; "
        "stratified: those grades by stratum (region, times shown), weighted by the stratum's "
        "share of the shown pairs; em: estimated from the answers to shown pairs without a grade",
    )
    em_pairs: int = Field(
        2_000, ge=100, description="em: shown pairs that are read for the estimate, at most (count)"
    )

    @field_validator("given")
    @classmethod
    def _check_positive(cls, mix: Mix) -> Mix:
        if min(mix) <= 0:
            raise ValueError(f"each share of the mix must be above 0: {mix}")
        return mix


class GateConf(Section):
    """What a labeler must reach on the gold set to be admitted."""

    min_within_one: float = Field(
        0.95, ge=0, le=1, description="least share of pairs at most one grade off (fraction)"
    )
    min_qwk: float = Field(0.3, ge=-1, le=1, description="least quadratic weighted kappa")
    min_exact: float = Field(
        0.5, ge=0, le=1, description="least share of pairs with the very grade (fraction)"
    )
    min_recall: Mix = Field(
        (0.1, 0.3, 0.3), description="least recall of grade 0, 1, 2 (fractions)"
    )
    max_calibration_error: float = Field(
        0.1, ge=0, le=1, description="largest calibration error of P(grade >= 1), P(grade >= 2)"
    )
    min_segment_within_one: float = Field(
        0.9, ge=0, le=1, description="least within-one share of the worst segment (fraction)"
    )
    min_segment_qwk: float = Field(
        0.1, ge=-1, le=1, description="least quadratic weighted kappa of the worst segment"
    )
    min_segment_pairs: int = Field(
        100, ge=1, description="gold pairs that a segment needs to be judged (count)"
    )
    head_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of the gold queries, most shown first, that count as head queries",
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="level of the interval of the paired difference in kappa from the admitted "
        "version; a version whose whole interval lies below 0 is refused (fraction)",
    )
    bootstrap: int = Field(500, ge=10, description="bootstrap replicates over queries (count)")

    @field_validator("min_recall")
    @classmethod
    def _check_fractions(cls, recall: Mix) -> Mix:
        if not all(0 <= share <= 1 for share in recall):
            raise ValueError(f"each recall must lie in [0, 1]: {recall}")
        return recall


class LabelingConf(Section):
    """`finetune_labeler`, `admit_labeler` and `label_pairs`."""

    enabled: bool = Field(
        True, description="false: no labeler is fitted and no pair labelled; human grades stay"
    )
    required: bool = Field(
        False,
        description="true: too few human grades to fit or to judge a labeler are an error; false: "
        "they are noted, and the chain goes on without a labeler",
    )
    refit: Literal["conf_changed", "data_changed"] = Field(
        "conf_changed",
        description="when a labeler is fitted although one is admitted: when its conf changed, or "
        "when its human grades did, too",
    )
    gold_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of the validation buckets' query texts, by hash, that are the gold set; "
        "the others choose (fraction)",
    )
    min_pairs: int = Field(
        100, ge=3, description="pairs to fit on, to choose on and of gold, at least (count)"
    )
    max_pairs: int = Field(50_000, ge=100, description="pairs to fit on at most (count)")
    assumed_share: float = Field(
        0.25,
        ge=0,
        le=10,
        description="pairs of training queries, assumed irrelevant (source `assumed`), that are "
        "added to the fit, as a share of the graded ones (fraction); each weighs "
        "training_set.source_weights.assumed. They show the labeler pairs that nobody would have "
        "sent to a rater",
    )
    max_judging_pairs: int = Field(
        20_000, ge=100, description="pairs to choose on, and of gold, at most (count)"
    )
    grades: Literal["matched", "most_probable"] = Field(
        "matched",
        description="grade of a label; matched: cut points of the expected grade that give "
        "production's mix on the pairs chosen on; most_probable: of the largest probability",
    )
    mix: MixConf = Field(default_factory=MixConf, description="mix of grades")
    gate: GateConf = Field(default_factory=GateConf, description="what is admitted")
    judged_pairs: bool = Field(
        False, description="true: pairs that people graded are labelled by the model, too"
    )
    relabel: Literal["all", "differing"] = Field(
        "all",
        description="pairs that a new version labels again; all: every pair; differing: only "
        "those whose grade under the version before was in doubt",
    )
    doubt: float = Field(
        0.8,
        ge=0,
        description="relabel differing: a grade is in doubt from this entropy on (nats, at most "
        "1.1)",
    )
    chunk_pairs: int = Field(
        20_000, ge=1, description="pairs of texts labelled between two commits, about (count)"
    )
    budget_pairs: int | None = Field(
        None,
        ge=1,
        description="pairs of texts labelled per run at most, about; the same ones on every "
        "machine (count); null: all",
    )
    budget_minutes: float | None = Field(
        None,
        gt=0,
        description="time from the first pair that is read (minutes); after the first chunk, none "
        "is begun that would end later; null: no limit",
    )
    partitions: int | None = Field(
        None,
        ge=1,
        description="tasks per chunk, which is how many processes label at once (count); null: "
        "spark.shuffle_partitions",
    )
    mix_shift: float = Field(
        0.1,
        gt=0,
        le=1,
        description="a run warns where its mix of grades differs from the last run's by more than "
        "this total variation (fraction)",
    )

    revoke: str | None = Field(
        None, description="version that `revoke_labeler` revokes; null: the one that labels"
    )
    revoke_reason: str = Field(
        "by hand", min_length=1, description="why it is revoked, for the table of decisions"
    )

    @model_validator(mode="after")
    def _judging_fits(self) -> Self:
        if self.max_pairs < self.min_pairs or self.max_judging_pairs < self.min_pairs:
            raise ValueError("max_pairs and max_judging_pairs must not lie below min_pairs")
        return self
