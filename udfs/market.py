"""The simulated market in Spark's Python workers: rows by batch, and the schemas of those rows.

A row is a function of the seed and of its keys (`model.market`), whatever batch it is in.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from conf.sections.market import MarketSource
from conf.sections.source import HomeDepotSource, SimulatedSource
from model.market.catalogue import NAMES, as_on_shelf, item_ids, items_of, shards
from model.market.draws import Bools, Draws, Floats, Ints, Texts, as_keys
from model.market.intents import intents_of, typed_texts
from model.market.logger import logger_score, model_score
from model.market.offers import latents_of, listed_on, price_of
from model.market.pages import outcomes, ranked_pages
from model.market.pools import pools
from model.market.raters import latent_relevance, rated_grade
from model.market.shoppers import Pairs, brand_taste, funnel, price_level
from model.market.traffic import searches

ITEMS = (
    "item_id string, title string, price double, brand string, item_type string, colour string, "
    "size string, material string, listed_on date"
)
LATENTS = "popularity double, quality double, cheapness double"
TEXTS = "text_number long, shard long, typed string"
PAIRS = (
    "text_number long, text_key string, item_id string, grade int, relevance double, "
    f"judged_grade int, brand string, price double, {LATENTS}"
)
SEARCHES = "search_id string, text_number long, region string, day long, event_second long"
LOG = (
    "search_id string, query_id string, item_id string, region string, position int, "
    "event_time timestamp, known_at timestamp, price double, clicked boolean, carted boolean, "
    "purchased boolean, carted_at timestamp, purchased_at timestamp, propensity double"
)
TRUTH = (
    "query_id string, item_id string, region string, true_grade int, true_p_click double, "
    "true_p_cart double, true_p_purchase double"
)
TASTES = "name string, value double, meaning string"

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
    def first(self) -> date:
        """First day of the log."""
        return self.run_date - timedelta(days=self.source.days)

    def mapped(
        self, rows: "Callable[[World[Source], pd.DataFrame], pd.DataFrame]"
    ) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
        """`rows` of every batch, for `mapInPandas`."""
        return lambda batches: (rows(self, batch) for batch in batches)


def item_rows(world: World[SimulatedSource], numbers: pd.DataFrame) -> pd.DataFrame:
    """ITEMS, one row per number in `id`."""
    items = items_of(numbers["id"].to_numpy(), world.draws)
    return as_on_shelf(items, world.draws, world.first)


def text_rows(world: World[SimulatedSource], numbers: pd.DataFrame) -> pd.DataFrame:
    """TEXTS, one row per number in `id`: what is typed, which two texts may share."""
    number = numbers["id"].to_numpy()
    typed = typed_texts(intents_of(number, world.source, world.draws), world.source, world.draws)
    shard = number % shards(world.source)
    return pd.DataFrame({"text_number": number, "shard": shard, "typed": typed})


def pair_rows(world: World[SimulatedSource], texts: pd.DataFrame) -> pd.DataFrame:
    """PAIRS, one row per text of `texts` (text_number, text_key) and item that competes for it.

    judged_grade is what raters say of the pair, null where they do not judge it.
    """
    source, draws = world.source, world.draws
    number = texts["text_number"].to_numpy()
    pool = pools(intents_of(number, source, draws), source, draws)
    text, items = number[pool.text], items_of(pool.item, draws)
    size = source.pool_matches + source.pool_popular + source.pool_misfits
    is_judged = (draws.uniform("judged", text) < source.judged_share) & (
        draws.uniform("judged", text, pool.item) < source.judged_items / size
    )
    rated = rated_grade(pool.grade, source.rater_noise_sd, draws, text, pool.item)
    return pd.DataFrame(
        {
            "text_number": text,
            "text_key": texts["text_key"].to_numpy()[pool.text],
            "item_id": item_ids(pool.item),
            "grade": pool.grade,
            "relevance": pool.grade.astype(np.float64),
            "judged_grade": pd.Series(rated, dtype="Int32").where(pd.Series(is_judged)),
            "brand": NAMES["brand"][items.attributes[:, 0]],
            "price": items.price,
            **items.latents._asdict(),
        }
    )


def offered_rows(world: World[HomeDepotSource], items: pd.DataFrame) -> pd.DataFrame:
    """The items (item_id, item_type, brand) with latents, a price and a listing day."""
    draws, key = world.draws, as_keys(items["item_id"])
    latents = latents_of(key, as_keys(items["brand"].fillna("")), draws)
    kind = draws.normal("type price", as_keys(items["item_type"].fillna("")))
    return items.assign(
        **latents._asdict(),
        price=price_of(np.exp(3.4 + 0.8 * kind), latents.cheapness),  # mostly 10 to 100
        listed_on=listed_on(key, draws, world.first),
    )


def latent_rows(world: World[HomeDepotSource], pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs (text_key, item_id, rating) with the relevance behind the rating; 0 without one."""
    keys = as_keys(pairs["text_key"]), as_keys(pairs["item_id"])
    reliability, rating = world.source.rating_reliability, pairs["rating"].to_numpy(np.float64)
    drawn = latent_relevance(rating, reliability, world.draws, *keys)
    return pairs.drop(columns="rating").assign(relevance=np.where(np.isnan(rating), 0.0, drawn))


def taste_rows(world: World[Source], brands: pd.DataFrame) -> pd.DataFrame:
    """TASTES, one row per region and `brand`."""
    regions = as_keys(world.regions)[:, None]
    tastes = brand_taste(world.source.shoppers, world.draws, regions, as_keys(brands["brand"]))
    names = [f"brand_taste.{region}.{b}" for region in world.regions for b in brands["brand"]]
    meaning = "a region's liking of a brand (logit of a click)"
    return pd.DataFrame({"name": names, "value": tastes.ravel(), "meaning": meaning})


def truth_rows(world: World[Source], pairs: pd.DataFrame) -> pd.DataFrame:
    """TRUTH, one row per region and pair: P(click), P(cart), P(purchase) of an examined item by
    attraction, without trust."""
    planted = funnel(_pairs(pairs), world.source.shoppers, world.regions, world.draws)
    carted = planted.p_click * planted.p_cart
    times = len(world.regions)
    return pd.DataFrame(
        {
            "query_id": query_ids(pairs["text_key"], world.regions).ravel(),
            "item_id": np.tile(pairs["item_id"], times),
            "region": np.repeat(np.array(world.regions, object), len(pairs)),
            "true_grade": np.tile(pairs["grade"], times),
            "true_p_click": planted.p_click.ravel(),
            "true_p_cart": carted.ravel(),
            "true_p_purchase": (carted * planted.p_purchase).ravel(),
        }
    )


def search_rows(world: World[Source], slots: pd.DataFrame, text_count: int) -> pd.DataFrame:
    """SEARCHES of the slots in `id`."""
    slot = slots["id"].to_numpy()
    return searches(slot, world.source, world.regions, text_count, world.run_date, world.draws)


def log_rows(world: World[Source], batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """LOG of a stream in the order of text_number: each text's pool first, then its pages.

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
            yield _log(world, pool, pages)
        pool = pool[pool["text_number"] == batch["text_number"].iloc[-1]]


def _log(world: World[Source], pool: pd.DataFrame, pages: pd.DataFrame) -> pd.DataFrame:
    """The log of some pages, whose pools are all there and sorted by text."""
    source, draws = world.source, world.draws
    region = pd.Index(world.regions).get_indexer(pd.Index(pages["region"]))[:, None]
    search, items = as_keys(pages["search_id"]), as_keys(pool["item_id"])
    second = pages["event_second"].to_numpy(np.int64)
    pairs = _pairs(pool)
    planted = funnel(pairs, source.shoppers, world.regions, draws)
    at = _pool_places(pool["text_number"].to_numpy(), pages["text_number"].to_numpy())
    base = np.where(at < 0, np.nan, _scores(world, pool, pairs, planted.click_logit)[region, at])
    day = pages["day"].to_numpy(np.int64)
    shown = ranked_pages(base, items[at], search, day, source, draws)
    at = np.take_along_axis(at, shown.choice, axis=1)
    chances = (planted.p_click, planted.p_cart, planted.p_purchase)
    cutoff = int(datetime.combine(world.run_date, time(), UTC).timestamp())
    did = outcomes(
        (chances[0][region, at], chances[1][region, at], chances[2][region, at]),
        items[at],
        search,
        second,
        cutoff,
        source,
        draws,
    )
    kept = (shown.choice >= 0) & (did.known_second < cutoff)
    page, place = np.nonzero(kept)
    pair, in_region = at[kept], region[page, 0]
    level = price_level(draws, as_keys(world.regions))
    return pd.DataFrame(
        {
            "search_id": pages["search_id"].to_numpy()[page],
            "query_id": query_ids(pool["text_key"], world.regions)[in_region, pair],
            "item_id": pool["item_id"].to_numpy()[pair],
            "region": pages["region"].to_numpy()[page],
            "position": place + 1,
            "event_time": _moments(second[page]),
            "known_at": _moments(did.known_second[kept]),
            "price": np.round(pool["price"].to_numpy()[pair] * level[in_region], 2),
            "clicked": did.clicked[kept],
            "carted": did.carted[kept],
            "purchased": did.purchased[kept],
            "carted_at": _moments(did.cart_second[kept], did.carted[kept]),
            "purchased_at": _moments(did.purchase_second[kept], did.purchased[kept]),
            "propensity": shown.propensity[kept],
        }
    )


def query_ids(text_keys: Iterable[str], regions: tuple[str, ...]) -> Texts:
    """query_id by region and text, [R, N], as `jobs.sources.base.query_key` makes it."""
    code, keys = pd.factorize(np.asarray(text_keys, object))
    ids = [[sha256(f"{k}|{r}".encode()).hexdigest()[:16] for k in keys] for r in regions]
    return np.array(ids, object)[:, code]


def _pairs(rows: pd.DataFrame) -> Pairs:
    return Pairs(
        text=as_keys(rows["text_key"]),
        item=as_keys(rows["item_id"]),
        brand=as_keys(rows["brand"]),
        has_brand=rows["brand"].notna().to_numpy(),
        relevance=rows["relevance"].to_numpy(np.float64),
        popularity=rows["popularity"].to_numpy(np.float64),
        quality=rows["quality"].to_numpy(np.float64),
        cheapness=rows["cheapness"].to_numpy(np.float64),
    )


def _scores(world: World[Source], pool: pd.DataFrame, pairs: Pairs, click_logit: Floats) -> Floats:
    """The logger's score before the day's drift, [R, N]."""
    policy, terms = world.source.policy, {}
    if policy.text:
        terms["words_matched"] = pool["words_matched"].to_numpy(np.float64)
    if policy.model:
        keys = pairs.text, as_keys(world.regions)[:, None], pairs.item
        shoppers = world.source.shoppers
        terms["model_score"] = model_score(policy, shoppers, click_logit, world.draws, *keys)
    return np.broadcast_to(logger_score(policy, pairs, **terms), click_logit.shape)


def _pool_places(pool_text: Ints, page_text: Ints) -> Ints:
    """Row of each item of the page's pool, [P, W]; -1 behind the last item of a short pool."""
    texts, first, size = np.unique(pool_text, return_index=True, return_counts=True)
    of = np.searchsorted(texts, page_text)
    place = np.arange(size[of].max())
    return np.where(place < size[of][:, None], first[of][:, None] + place, -1)


def _moments(second: Ints, known: Bools | None = None) -> NDArray[np.datetime64]:
    """Times of seconds since 1970; none where it is not `known`."""
    moments = second.astype("datetime64[s]")
    return moments if known is None else np.where(known, moments, np.datetime64("NaT"))
