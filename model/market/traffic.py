"""Who searches for what, where and when."""

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil

import numpy as np
import pandas as pd

from conf.sections.market import MarketSource
from model.arrays import Ints
from model.market.draws import Draws, choose_index, draw_zipf_ranks

WEEKDAY_TRAFFIC = (0.95, 0.9, 0.9, 0.95, 1.0, 1.15, 1.15)
"""Pages of a day over the mean day, Monday first; they add up to 7."""
_SESSION_BLOCK = 4
"""Pages that fall into sessions together, as `_SPLITS` says."""
_SPLITS = np.array(
    [
        *([0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]),
        *([0, 1, 2, 2], [0, 1, 2, 3], [0, 1, 2, 3], [0, 0, 1, 2]),
    ]
)
"""How a block of four pages falls into sessions: the session of each page within the block."""
_PAGES = np.array(
    [[at - list(split).index(session) for at, session in enumerate(split)] for split in _SPLITS]
)
"""Place of each page within its session."""
_DAY = 86_400
"""Seconds of a day."""


def count_slots(source: MarketSource) -> int:
    """Count the places for pages over all days, more than there are pages."""
    return source.days * _count_slots_a_day(source)


def draw_searches(
    slot: Ints,
    source: MarketSource,
    regions: Sequence[str],
    texts: int,
    run_date: date,
    draws: Draws,
) -> pd.DataFrame:
    """Draw one row per result page: search_id, text_number, region, day (since 1970), event_second.

    Pages of a session share the region, follow each other by a minute or so, and half of them
    repeat the query. Pages of a day depend on the day only: tomorrow's run sees the same ones.

    Args:
        slot: below `count_slots`; some have no page.
        source: days before the run date, traffic.
        regions: of the market.
        texts: number of query texts; text_number is drawn below it by Zipf's law.
        run_date: the day after the last one.
        draws: of the market's seed.
    """
    first_day = (run_date - timedelta(days=source.days) - date(1970, 1, 1)).days
    day, slot = first_day + slot // _count_slots_a_day(source), slot % _count_slots_a_day(source)
    weekday = (day + 3) % 7  # 1970 began on a Thursday
    pages = _count_pages_a_day(source) * np.array(WEEKDAY_TRAFFIC)[weekday]
    day, slot = (x[slot + draws.draw_uniform("traffic", day) < pages] for x in (day, slot))
    block, place = slot // _SESSION_BLOCK, slot % _SESSION_BLOCK
    split = draws.draw_below(len(_SPLITS), "split", day, block)
    session, page = (day, block, _SPLITS[split, place]), _PAGES[split, place]
    moves_on = (page > 0) & (draws.draw_uniform("moves on", *session, page) < 0.5)
    intent = draws.draw_uniform("intent", *session, np.where(moves_on, page, 0))
    shares = list(compute_region_shares(source, regions).values())
    noon = (draws.draw_uniform("start/a", *session) + draws.draw_uniform("start/b", *session)) / 2
    pause = 30 + draws.draw_below(120, "pause", *session)
    return pd.DataFrame(
        {
            "search_id": _format_search_ids(day, slot),
            "text_number": draw_zipf_ranks(intent, texts, source.zipf_exponent),
            "region": np.array(regions, object)[
                choose_index(shares, draws.draw_uniform("region", *session))
            ],
            "day": day,
            # sessions start around noon, pages follow by 30 to 150 s
            "event_second": day * _DAY + (noon * 85_000).astype(np.int64) + page * pause,
        }
    )


def compute_region_shares(source: MarketSource, regions: Sequence[str]) -> dict[str, float]:
    """Compute each region's share of the traffic (fractions that add up to 1)."""
    weights = [(i + 1) ** -source.region_skew for i in range(len(regions))]
    return {r: w / sum(weights) for r, w in zip(regions, weights, strict=True)}


def _count_pages_a_day(source: MarketSource) -> float:
    return source.impressions / source.page_size / source.days


def _count_slots_a_day(source: MarketSource) -> int:
    return ceil(max(WEEKDAY_TRAFFIC) * _count_pages_a_day(source))


def _format_search_ids(day: Ints, slot: Ints) -> list[str]:
    dates = np.char.replace(day.astype("datetime64[D]").astype(str), "-", "")
    return [f"{on}-{n + 1:09d}" for on, n in zip(dates.tolist(), slot.tolist(), strict=True)]
