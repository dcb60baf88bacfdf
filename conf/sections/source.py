"""The data sets that `ingest` can read, one section a kind."""

from typing import Annotated, Literal

from pydantic import Field

from conf.sections.base import Section


class SimulatedSource(Section):
    """A market made in Spark from the seed; nothing is read."""

    kind: Literal["simulated"] = "simulated"
    items: int = Field(20_000, ge=10, description="items in the catalogue (count)")
    queries: int = Field(2_000, ge=5, description="distinct query texts (count)")
    days: int = Field(28, ge=2, description="days of log before the run date")
    impressions: int = Field(300_000, ge=100, description="impressions over all days (count)")


class HomeDepotSource(Section):
    """Real queries, titles, brands and human grades; engagement simulated."""

    kind: Literal["homedepot"] = "homedepot"
    path: str = Field(description="folder of homedepot_pairs.csv.gz and homedepot_brands.csv.gz")


class EsciSource(Section):
    """Amazon Shopping Queries (ESCI) Parquet files."""

    kind: Literal["esci"] = "esci"
    path: str = Field(description="folder of the Parquet files")


class WandsSource(Section):
    """Wayfair WANDS tab-separated files."""

    kind: Literal["wands"] = "wands"
    path: str = Field(description="folder of query.csv, product.csv and label.csv")


class TablesSource(Section):
    """A team's own Delta, Parquet or CSV tables, columns mapped in conf."""

    kind: Literal["tables"] = "tables"


SourceConf = Annotated[
    SimulatedSource | HomeDepotSource | EsciSource | WandsSource | TablesSource,
    Field(discriminator="kind"),
]
