"""The data sets that `ingest` can read, one section a kind."""

from typing import Annotated, Literal

from pydantic import Field

from conf.sections.datasets import EsciSource, TablesSource, TrivagoSource, WandsSource
from conf.sections.market import MarketSource


class SimulatedSource(MarketSource):
    """A market drawn from the seed; nothing is read."""

    kind: Literal["simulated"] = "simulated"
    items: int = Field(20_000, ge=10, description="items in the catalogue (count)")
    queries: int = Field(
        2_000,
        ge=5,
        description="query texts (count); a few fall out: they repeat another text "
        "and are too long for a further word",
    )
    typo_share: float = Field(
        0.08, ge=0, le=1, description="share of query texts with a typo (fraction)"
    )
    synonym_share: float = Field(
        0.25, ge=0, le=1, description="share of words that shoppers replace by a synonym (fraction)"
    )
    pool_matches: int = Field(
        20, ge=1, description="items of a query's pool that match it best (count)"
    )
    pool_popular: int = Field(
        10, ge=0, description="popular items of the right type in a query's pool (count)"
    )
    pool_misfits: int = Field(
        10, ge=0, description="popular items of other types in a query's pool (count)"
    )
    judged_share: float = Field(
        0.6, ge=0, le=1, description="share of query texts that are judged (fraction)"
    )
    judged_items: int = Field(32, ge=1, description="items judged per judged query, about (count)")
    rater_noise_sd: float = Field(
        0.0,
        ge=0,
        description="error of each of the three raters behind a grade; 0 none (grades, sd)",
    )


class HomeDepotSource(MarketSource):
    """Real queries, titles, brands and human grades; engagement simulated."""

    kind: Literal["homedepot"] = "homedepot"
    path: str = Field(description="folder of homedepot_pairs.csv.gz and homedepot_brands.csv.gz")
    impressions: int = Field(
        500_000,
        ge=100,
        description="impressions if all pages were full; small pools make it fewer (count)",
    )
    fillers: int = Field(
        5, ge=0, description="popular items of other kinds in a query's pool (count)"
    )
    filler_groups: int = Field(
        4_096, ge=1, description="groups of products; a filler is the most popular of one (count)"
    )
    rating_reliability: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the variance of mean ratings that comes from the relevance which "
        "shoppers and the logger follow (fraction). Nobody knows it: the ratings allow .78 at "
        "most (44 % of the means are whole, so no more than that were unanimous), and .40 if "
        "raters err by proportional odds",
    )


SourceConf = Annotated[
    SimulatedSource | HomeDepotSource | EsciSource | WandsSource | TablesSource | TrivagoSource,
    Field(discriminator="kind"),
]
