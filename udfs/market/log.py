"""The log, drawn from a stream of pools and pages."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.arrays import Floats, Ints
from model.market.draws import Bools, as_keys
from model.market.logger import score_by_model, score_pairs
from model.market.pages import draw_outcomes, draw_pages
from model.market.shoppers import MarketPairs, compute_funnel, draw_price_level
from udfs.market.world import Source, World, build_market_pairs, query_ids

LOG = (
    "search_id string, query_id string, item_id string, region string, position int, "
    "event_time timestamp, known_at timestamp, price double, clicked boolean, carted boolean, "
    "purchased boolean, carted_at timestamp, purchased_at timestamp, propensity double"
)


def log_rows(world: World[Source], batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Draw the LOG of a stream in the order of text_number: each text's pool first, then its pages.

    A row of a pool has the columns of PAIRS (and words_matched where the logger ranks by it) and no
    search_id, a page those of SEARCHES. A page whose text has no pool is left out.
    """
    pool = None
    for batch in batches:
        is_page = batch["search_id"].notna()
        offered = batch[~is_page]
        pool = offered if pool is None else pd.concat([pool, offered])
        pages = batch[is_page & batch["text_number"].isin(pool["text_number"])]
        if len(pages):
            yield _draw_log(world, pool, pages)
        pool = pool[pool["text_number"] == batch["text_number"].iloc[-1]]


def _draw_log(world: World[Source], pool: pd.DataFrame, pages: pd.DataFrame) -> pd.DataFrame:
    """Draw the log of some pages, whose pools are complete and sorted by text."""
    source, draws = world.source, world.draws
    region = pd.Index(world.regions).get_indexer(pd.Index(pages["region"]))[:, None]
    search, items = as_keys(pages["search_id"]), as_keys(pool["item_id"])
    second = pages["event_second"].to_numpy(np.int64)
    pairs = build_market_pairs(pool)
    planted = compute_funnel(pairs, source.shoppers, world.regions, draws)
    at = _pool_places(pool["text_number"].to_numpy(), pages["text_number"].to_numpy())
    base = np.where(
        at < 0, np.nan, _score_offers(world, pool, pairs, planted.click_logit)[region, at]
    )
    day = pages["day"].to_numpy(np.int64)
    shown = draw_pages(base, items[at], search, day, source, draws)
    at = np.take_along_axis(at, shown.choice, axis=1)
    chances = (planted.p_click, planted.p_cart, planted.p_purchase)
    cutoff = int(datetime.combine(world.run_date, time(), UTC).timestamp())
    did = draw_outcomes(
        (chances[0][region, at], chances[1][region, at], chances[2][region, at]),
        items[at],
        search,
        second,
        cutoff,
        source,
        draws,
    )
    is_logged = (shown.choice >= 0) & (did.known_second < cutoff)
    page, place = np.nonzero(is_logged)
    pair, in_region = at[is_logged], region[page, 0]
    level = draw_price_level(draws, as_keys(world.regions))
    return pd.DataFrame(
        {
            "search_id": pages["search_id"].to_numpy()[page],
            "query_id": query_ids(pool["text_key"], world.regions)[in_region, pair],
            "item_id": pool["item_id"].to_numpy()[pair],
            "region": pages["region"].to_numpy()[page],
            "position": place + 1,
            "event_time": _to_moments(second[page]),
            "known_at": _to_moments(did.known_second[is_logged]),
            "price": np.round(pool["price"].to_numpy()[pair] * level[in_region], 2),
            "clicked": did.clicked[is_logged],
            "carted": did.carted[is_logged],
            "purchased": did.purchased[is_logged],
            "carted_at": _to_moments(did.cart_second[is_logged], did.carted[is_logged]),
            "purchased_at": _to_moments(did.purchase_second[is_logged], did.purchased[is_logged]),
            "propensity": shown.propensity[is_logged],
        }
    )


def _score_offers(
    world: World[Source], pool: pd.DataFrame, pairs: MarketPairs, click_logit: Floats
) -> Floats:
    """Score the offers as the logger does before the day's drift, [R, N]."""
    policy, terms = world.source.policy, {}
    if policy.text:
        terms["words_matched"] = pool["words_matched"].to_numpy(np.float64)
    if policy.model:
        keys = pairs.text, as_keys(world.regions)[:, None], pairs.item
        shoppers = world.source.shoppers
        terms["model_score"] = score_by_model(policy, shoppers, click_logit, world.draws, *keys)
    return np.broadcast_to(score_pairs(policy, pairs, **terms), click_logit.shape)


def _pool_places(pool_text: Ints, page_text: Ints) -> Ints:
    """Return the row of each item of the page's pool, [P, W]; -1 after the last item of a short
    pool.
    """
    texts, start, size = np.unique(pool_text, return_index=True, return_counts=True)
    of = np.searchsorted(texts, page_text)
    place = np.arange(size[of].max())
    return np.where(place < size[of][:, None], start[of][:, None] + place, -1)


def _to_moments(second: Ints, happened: Bools | None = None) -> NDArray[np.datetime64]:
    """Turn seconds since 1970 into times; none where it did not happen."""
    moments = second.astype("datetime64[s]")
    return moments if happened is None else np.where(happened, moments, np.datetime64("NaT"))
