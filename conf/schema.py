"""The whole configuration tree."""

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from conf.sections.admission import AdmissionConf
from conf.sections.audit import AuditConf, JudgingConf
from conf.sections.base import Section
from conf.sections.baselines import BaselinesConf
from conf.sections.features import (
    LOOK_BACK_DAYS,
    CandidatesConf,
    EncoderConf,
    FeaturesConf,
)
from conf.sections.ingest import IngestConf, LabelsConf
from conf.sections.labelers import LabelerConf
from conf.sections.labelers.labeling import LabelingConf
from conf.sections.language import LanguageConf, read_english
from conf.sections.model import ModelConf
from conf.sections.platform import SparkConf, SplitConf, StorageConf, TrackingConf
from conf.sections.source import SourceConf
from conf.sections.training import CalibrationConf, FeedConf, TrainerConf, TrainingSetConf
from conf.sections.value import EvaluationConf, ScoringConf, ValueConf


class Conf(Section):
    """Everything that a run depends on besides its inputs and the code."""

    name: str = Field("default", pattern=r"^[a-z0-9_-]+$", description="name of this configuration")
    run_date: date | None = Field(
        None, description="day that is served; the log ends the day before (UTC)"
    )
    seed: int = Field(17, ge=1, description="seed of everything that draws random numbers")
    regions: tuple[str, ...] = Field(
        ("us", "uk", "de", "fr", "jp"), min_length=1, description="known regions, in a fixed order"
    )
    spark: SparkConf = Field(default_factory=SparkConf, description="Spark session")
    storage: StorageConf = Field(default_factory=StorageConf, description="outputs")
    tracking: TrackingConf = Field(default_factory=TrackingConf, description="MLflow")
    split: SplitConf = Field(default_factory=SplitConf, description="split of the queries")
    source: SourceConf | None = Field(
        None, description="raw data; there is no default: each run names what it reads"
    )
    ingest: IngestConf = Field(default_factory=IngestConf, description="row rules")
    labels: LabelsConf = Field(default_factory=LabelsConf, description="relevance labels")
    labeler: LabelerConf = Field(default_factory=LabelerConf, description="relevance labeler")
    labeling: LabelingConf = Field(
        default_factory=LabelingConf, description="fitting, admitting and using the labeler"
    )
    audit: AuditConf = Field(default_factory=AuditConf, description="audit of human grades")
    judging: JudgingConf = Field(default_factory=JudgingConf, description="grades by raters")
    encoder: EncoderConf = Field(default_factory=EncoderConf, description="sentence encoder")
    language: LanguageConf = Field(
        default_factory=read_english, description="rules of the texts' language; English"
    )
    features: FeaturesConf = Field(default_factory=FeaturesConf, description="features")
    candidates: CandidatesConf = Field(default_factory=CandidatesConf, description="candidates")
    training_set: TrainingSetConf = Field(
        default_factory=TrainingSetConf, description="training examples"
    )
    feed: FeedConf = Field(default_factory=FeedConf, description="snapshot reader")
    model: ModelConf = Field(default_factory=ModelConf, description="ranker")
    trainer: TrainerConf = Field(default_factory=TrainerConf, description="optimisation")
    calibration: CalibrationConf = Field(
        default_factory=CalibrationConf, description="probability calibration"
    )
    admission: AdmissionConf = Field(
        default_factory=AdmissionConf, description="gate of the ranker"
    )
    value: ValueConf = Field(default_factory=ValueConf, description="value model")
    scoring: ScoringConf = Field(default_factory=ScoringConf, description="nightly scoring")
    evaluation: EvaluationConf = Field(default_factory=EvaluationConf, description="metrics")
    baselines: BaselinesConf = Field(
        default_factory=BaselinesConf, description="rankers that a team would take instead"
    )

    @model_validator(mode="after")
    def _random_negatives_have_features(self) -> Self:
        """Check that random negatives are drawn where they weigh something."""
        if self.training_set.negatives.random > 0 and not self.features.random_pairs:
            raise ValueError(
                "training_set.negatives.random is above 0 and features.random_pairs is 0: set "
                "features.random_pairs to the random items that each training query shall have, "
                "10 for example"
            )
        return self

    @model_validator(mode="after")
    def _history_is_long_enough(self) -> Self:
        """Check that a night reads again every row that may still get a label or be
        looked back on.
        """
        history, training = self.ingest.history_days, self.features.training_days
        attribution = self.training_set.attribution_days
        if history is None:
            return self
        if history <= attribution:
            raise ValueError(
                f"ingest.history_days = {history} must be above training_set.attribution_days = "
                f"{attribution}: a cart or purchase on the last of those days is known the day "
                f"after, and its row must be read again then; set ingest.history_days to "
                f"{attribution + 1} or more, or null for the whole log"
            )
        if history < training + LOOK_BACK_DAYS:
            raise ValueError(
                f"ingest.history_days = {history} must be at least features.training_days = "
                f"{training} and the {LOOK_BACK_DAYS} days before them that features look back "
                f"on; set ingest.history_days to {training + LOOK_BACK_DAYS} or more or to null "
                f"for the whole log, or features.training_days to fewer"
            )
        return self
