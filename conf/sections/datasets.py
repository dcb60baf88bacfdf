"""Data sets that `ingest` reads from files or tables as they are: ESCI, WANDS, a team's own."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from conf.sections.base import Section

_URL = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""How a path of a remote file system begins."""

Grade = Literal[0, 1, 2]


class EsciGrades(Section):
    """Grades of the ESCI labels: our own choice.

    A substitute fits in part. A complement goes with what was asked for but is not it, so it counts
    as irrelevant, like the rest; the data set's own gain of a complement, 0.01, agrees.
    """

    exact: Grade = Field(2, description="grade of label E (0..2)")
    substitute: Grade = Field(1, description="grade of label S (0..2)")
    complement: Grade = Field(0, description="grade of label C (0..2)")
    irrelevant: Grade = Field(0, description="grade of label I (0..2)")


class EsciSource(Section):
    """Amazon Shopping Queries (ESCI) Parquet files."""

    kind: Literal["esci"] = "esci"
    path: str = Field(
        description="folder of shopping_queries_dataset_examples.parquet and _products.parquet"
    )
    locales: tuple[str, ...] = Field(
        ("us", "es", "jp"), min_length=1, description="locales that are read; each is a region"
    )
    small_version: bool = Field(
        False, description="true: only the set's reduced version, which leaves out easy queries"
    )
    grades: EsciGrades = Field(default_factory=EsciGrades, description="grade of each label")


class WandsGrades(Section):
    """Grades of the WANDS labels."""

    exact: Grade = Field(2, description="grade of label Exact (0..2)")
    partial: Grade = Field(1, description="grade of label Partial (0..2)")
    irrelevant: Grade = Field(0, description="grade of label Irrelevant (0..2)")


class WandsSource(Section):
    """Wayfair WANDS tab-separated files."""

    kind: Literal["wands"] = "wands"
    path: str = Field(description="folder of query.csv, product.csv and label.csv")
    region: str = Field("us", description="region of all queries; the set names none")
    grades: WandsGrades = Field(default_factory=WandsGrades, description="grade of each label")


class TableInput(Section):
    """One of a team's own tables or files, and the names of its columns."""

    format: Literal["delta", "parquet", "csv", "json"] = Field(
        "delta", description="format of `path`; json: one object per line"
    )
    path: str | None = Field(None, description="file or folder; either this or `table`")
    table: str | None = Field(None, description="catalog.schema.name; either this or `path`")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="our column name: theirs; a column that is not named has our name already",
    )
    fixed: dict[str, str | bool | int | float] = Field(
        default_factory=dict, description="our column name: one value for all rows"
    )
    delimiter: str = Field(
        ",", min_length=1, max_length=1, description="csv: separator (character)"
    )
    header: bool = Field(
        True, description="csv: the first line names the columns; else _c0, _c1 .."
    )
    encoding: str = Field("UTF-8", description="csv: character encoding")
    quote: str = Field('"', min_length=1, max_length=1, description="csv: quote (character)")
    multiline: bool = Field(False, description="csv: quoted values may hold line breaks")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.table is None):
            raise ValueError("give either path or table")
        return self

    @property
    def is_local(self) -> bool:
        """Tell whether it is a file or folder that Python can see: no table by name, no URL."""
        return self.path is not None and not _URL.match(self.path)


class TablesSource(Section):
    """A team's own Delta, Parquet, CSV or JSON tables, columns mapped in conf."""

    kind: Literal["tables"] = "tables"
    dataset: str = Field("tables", min_length=1, description="name of the data set in our tables")
    items: TableInput = Field(description="the catalogue")
    queries: TableInput | None = Field(
        None,
        description="the queries; null: the texts and regions that impressions and judgments name",
    )
    impressions: TableInput | None = Field(None, description="the log of result pages")
    judgments: TableInput | None = Field(None, description="graded pairs")
    grades: dict[str, Grade] = Field(
        default_factory=dict,
        description="grade of each label of the judgments, where the labels are not 0..2 already "
        "(0..2)",
    )
    as_of_run_date: bool = Field(
        False,
        description="true: read the log as it stood at the run date, as a backfill over a growing "
        "log needs (later rows are left out, later carts and purchases undone); false: later rows "
        "are quarantined",
    )

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.impressions is None and self.judgments is None:
            raise ValueError("give impressions, judgments or both")
        return self

    def list_inputs(self) -> dict[str, TableInput]:
        """List the inputs that are given, by their name."""
        named = {
            "items": self.items,
            "queries": self.queries,
            "impressions": self.impressions,
            "judgments": self.judgments,
        }
        return {name: given for name, given in named.items() if given is not None}


class TrivagoSource(Section):
    """Sessions of a hotel search; an experiment reads them, the nightly chain cannot."""

    kind: Literal["trivago"] = "trivago"
    path: str = Field(description="folder of trivago_actions.parquet")
    largest_sites: int = Field(
        16,
        ge=1,
        description="number of country sites, those with the most training sessions, that are a "
        "region each; all others form the region `other` (count)",
    )
    prior_impressions: float = Field(
        20.0, gt=0, description="strength of the prior of a hotel's rates (impressions)"
    )
    engaged_by_click: bool = Field(
        False,
        description="true: a click counts as engagement too, so that no hotel is clicked without "
        "engagement; false: only what came before the click",
    )
    logged_rank: bool = Field(
        False,
        description="true: the rank that the logger gave is a feature too, since it is known when "
        "the list is shown (then set model.position_bias none); false: it is `position` only",
    )
