"""What an item brings to the shelf besides its text: quality, price and popularity."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.arrays import Floats
from model.market.draws import Draws, Keys

LOG_PRICE_SD = 0.45
"""Spread of log prices within a type."""
_LISTED_FROM = date(2019, 1, 1)
"""First day on which an item may have been listed."""
_LISTED_OVER_DAYS = 1_800
"""Days over which listings spread: about five years."""


class Latents(NamedTuple):
    """quality, cheapness and popularity of items, each [N] of mean 0 and spread 1 over items.

    cheapness is minus the z-score of the log price within the type: dear brands and good items
    cost more. popularity is what the logger knows: good and cheap items are more popular.
    """

    quality: Floats
    cheapness: Floats
    popularity: Floats


def draw_latents(items: Keys, brands: Keys, draws: Draws) -> Latents:
    """Draw the latents by key of the item and of its brand, each [N]."""
    quality = draws.draw_normal("quality", items)
    price_noise = (1 - 0.5**2 - 0.3**2) ** 0.5 * draws.draw_normal("price", items)
    cheapness = -(0.5 * draws.draw_normal("brand tier", brands) + 0.3 * quality + price_noise)
    # corr(quality, cheapness) = -0.3 leaves this much for noise in a popularity of spread 1
    unexplained = (1 - 0.5**2 - 0.4**2 + 2 * 0.5 * 0.4 * 0.3) ** 0.5
    popularity = (
        0.5 * quality + 0.4 * cheapness + unexplained * draws.draw_normal("popularity", items)
    )
    return Latents(quality, cheapness, popularity)


def compute_prices(middle: Floats, cheapness: Floats) -> Floats:
    """Compute prices from the type's middle price and the item's cheapness, in whole cents."""
    drawn = np.round(middle * np.exp(-LOG_PRICE_SD * cheapness), 2)
    return np.asarray(np.maximum(drawn, 0.01), np.float64)


def draw_listing_days(items: Keys, draws: Draws, first_day: date) -> NDArray[np.object_]:
    """Draw the first day on sale: a day of five years, always before the log's first day."""
    drawn = np.datetime64(_LISTED_FROM) + draws.draw_below(_LISTED_OVER_DAYS, "listed", items)
    return np.minimum(drawn, np.datetime64(first_day - timedelta(days=1))).astype(object)
