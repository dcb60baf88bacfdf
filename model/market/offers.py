"""What an item brings to the shelf besides its text: quality, price and popularity."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.market.draws import Draws, Floats, Keys

LOG_PRICE_SD = 0.45
"""Spread of log prices within a type."""
_LISTED_FROM = date(2019, 1, 1)
_LISTED_OVER_DAYS = 1_800


class Latents(NamedTuple):
    """quality, cheapness and popularity of items, each [N] of mean 0 and spread 1 over items.

    cheapness is minus the z-score of the log price within the type: dear brands and good items
    cost more. popularity is what the logger knows: good and cheap items are more popular.
    """

    quality: Floats
    cheapness: Floats
    popularity: Floats


def latents_of(items: Keys, brands: Keys, draws: Draws) -> Latents:
    """Latents by key of the item and of its brand, each [N]."""
    quality = draws.normal("quality", items)
    price_noise = (1 - 0.5**2 - 0.3**2) ** 0.5 * draws.normal("price", items)
    cheapness = -(0.5 * draws.normal("brand tier", brands) + 0.3 * quality + price_noise)
    # corr(quality, cheapness) = -0.3 leaves this much for noise in a popularity of spread 1
    own = (1 - 0.5**2 - 0.4**2 + 2 * 0.5 * 0.4 * 0.3) ** 0.5
    popularity = 0.5 * quality + 0.4 * cheapness + own * draws.normal("popularity", items)
    return Latents(quality, cheapness, popularity)


def price_of(middle: Floats, cheapness: Floats) -> Floats:
    """Price from the type's middle price and the item's cheapness, in whole cents."""
    drawn = np.round(middle * np.exp(-LOG_PRICE_SD * cheapness), 2)
    return np.asarray(np.maximum(drawn, 0.01), np.float64)


def listed_on(items: Keys, draws: Draws, first: date) -> NDArray[np.object_]:
    """First day on sale: a day of five years, always before the log's first day."""
    drawn = np.datetime64(_LISTED_FROM) + draws.below(_LISTED_OVER_DAYS, "listed", items)
    return np.minimum(drawn, np.datetime64(first - timedelta(days=1))).astype(object)
