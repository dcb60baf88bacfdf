"""What a raw row must satisfy, and how much may be quarantined."""

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.sections.base import Section

RawTable = Literal["items", "queries", "impressions", "judgments", "own_values"]


class LostShareConf(Section):
    """Share of a table that a team's source may lose from one run to the next.

    Items, queries and own features: of the rows that the last run read. Impressions: of the
    table's rows of the days from the first to the last that the source gives. Judgments: of the
    table's rows.
    A feed that broke off loses more than a fifth; a week of normal change loses less.
    """

    items: float = Field(0.2, ge=0, le=1, description="share above which ingest stops (fraction)")
    queries: float = Field(0.2, ge=0, le=1, description="share above which ingest stops (fraction)")
    impressions: float = Field(
        0.2, ge=0, le=1, description="share above which ingest stops (fraction)"
    )
    judgments: float = Field(
        0.2, ge=0, le=1, description="share above which ingest stops (fraction)"
    )
    own_values: float = Field(
        0.2, ge=0, le=1, description="share above which import_features stops (fraction)"
    )


class IngestConf(Section):
    """Rules of `ingest` that differ between sites."""

    max_text_chars: int = Field(2_000, ge=1, description="longest query or title kept (characters)")
    max_free_text_chars: int = Field(
        100_000,
        ge=1,
        description="longest description kept (characters); no page shows so much: more is a file "
        "that was put in the wrong column",
    )
    allow_cart_without_click: bool = Field(
        False, description="true where items can be put in the cart from the result page"
    )
    allow_purchase_without_cart: bool = Field(
        False, description="true where one-click purchase exists"
    )
    history_days: int | None = Field(
        None,
        ge=1,
        description="impressions of this many days before the run date are read and replaced "
        "(days); null: all that the source gives",
    )
    withdrawn_events: Literal["keep", "remove"] = Field(
        "keep",
        description="a click, cart or purchase that a row had and, sent again, lacks. keep: "
        "past days were ranked with it, and a broken join upstream withdraws more than corrections "
        "do; remove: the log takes back bots' clicks or cancelled orders, and they must not count",
    )
    max_quarantined_share: float = Field(
        0.5, gt=0, le=1, description="share of a table's rows above which the job fails (fraction)"
    )
    max_lost_share: LostShareConf = Field(
        default_factory=LostShareConf,
        description="share of each table's rows that a source may lose before ingest stops",
    )
    max_lag_days: int | None = Field(
        0,
        ge=0,
        description="a team's log should end the day before the run date; it may end this many "
        "days earlier (days); null: it may end on any day",
    )
    incremental: tuple[RawTable, ...] = Field(
        (),
        description="tables of which the source sends only new and changed rows: none of their "
        "rows is removed because the source no longer has it",
    )


class LabelsConf(Section):
    """How `import_labels` turns a judgment into P(grade >= k)."""

    soft: bool = Field(
        False,
        description="true: probabilities from the mean rating; false: 0 or 1 from the grade",
    )
    rating_range: tuple[float, float] = Field(
        (1.0, 3.0),
        description="lowest and highest rating of the source's scale, grade 0 and grade 2 (rating)",
    )

    @model_validator(mode="after")
    def _check_ascending(self) -> Self:
        low, high = self.rating_range
        if not low < high:
            raise ValueError(f"rating_range {low}, {high} must ascend")
        return self
