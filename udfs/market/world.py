"""What the rows of a market depend on besides their keys."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from conf.sections.market import MarketSource
from model.market.draws import Draws, Texts, as_keys
from model.market.shoppers import MarketPairs

Source = TypeVar("Source", bound=MarketSource, covariant=True)


@dataclass(frozen=True)
class World(Generic[Source]):
    """All that the rows of a market depend on besides their keys."""

    source: Source
    regions: tuple[str, ...]
    seed: int
    run_date: date

    @property
    def draws(self) -> Draws:
        """Draws of the market's seed."""
        return Draws(self.seed)

    @property
    def first_day(self) -> date:
        """First day of the log."""
        return self.run_date - timedelta(days=self.source.days)

    def map_batches(
        self, rows: "Callable[[World[Source], pd.DataFrame], pd.DataFrame]"
    ) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
        """Apply `rows` to every batch, for `mapInPandas`."""
        return lambda batches: (rows(self, batch) for batch in batches)


def query_ids(text_keys: Iterable[str], regions: tuple[str, ...]) -> Texts:
    """Return query_id by region and text, [R, N], as `jobs.sources.base.query_key` makes it."""
    code, keys = pd.factorize(np.asarray(text_keys, object))
    ids = [[sha256(f"{k}|{r}".encode()).hexdigest()[:16] for k in keys] for r in regions]
    return np.array(ids, object)[:, code]


def build_market_pairs(rows: pd.DataFrame) -> MarketPairs:
    """Return the pairs of rows with the columns of `udfs.market.rows.PAIRS`."""
    return MarketPairs(
        text=as_keys(rows["text_key"]),
        item=as_keys(rows["item_id"]),
        brand=as_keys(rows["brand"]),
        has_brand=rows["brand"].notna().to_numpy(),
        relevance=rows["relevance"].to_numpy(np.float64),
        popularity=rows["popularity"].to_numpy(np.float64),
        quality=rows["quality"].to_numpy(np.float64),
        cheapness=rows["cheapness"].to_numpy(np.float64),
    )
