"""Items, texts, pairs, pages, tastes and the planted truth, a batch at a time."""

import numpy as np
import pandas as pd

from conf.sections.source import HomeDepotSource, SimulatedSource
from model.market.catalogue import NAMES, as_on_shelf, count_shards, draw_items, format_item_ids
from model.market.draws import as_keys
from model.market.intents import draw_intents, write_texts
from model.market.offers import compute_prices, draw_latents, draw_listing_days
from model.market.pools import draw_pools
from model.market.raters import draw_latent_relevance, draw_rated_grade
from model.market.shoppers import compute_funnel, draw_taste
from model.market.traffic import draw_searches
from udfs.market.world import Source, World, build_market_pairs, query_ids

ITEMS = (
    "item_id string, title string, price double, brand string, item_type string, colour string, "
    "size string, material string, listed_on date"
)
LATENTS = "popularity double, quality double, cheapness double"
QUERY_TEXTS = "text_number long, shard long, typed string"
PAIRS = (
    "text_number long, text_key string, item_id string, grade int, relevance double, "
    f"judged_grade int, brand string, price double, {LATENTS}"
)
SEARCHES = "search_id string, text_number long, region string, day long, event_second long"
TRUTH = (
    "query_id string, item_id string, region string, true_grade int, true_p_click double, "
    "true_p_cart double, true_p_purchase double"
)
TASTES = "name string, value double, meaning string"


def item_rows(world: World[SimulatedSource], numbers: pd.DataFrame) -> pd.DataFrame:
    """Draw ITEMS, one row per number in `id`."""
    items = draw_items(numbers["id"].to_numpy(), world.draws)
    return as_on_shelf(items, world.draws, world.first_day)


def text_rows(world: World[SimulatedSource], numbers: pd.DataFrame) -> pd.DataFrame:
    """Draw QUERY_TEXTS, one row per number in `id`: what is typed, which two texts may share."""
    number = numbers["id"].to_numpy()
    typed = write_texts(draw_intents(number, world.source, world.draws), world.source, world.draws)
    shard = number % count_shards(world.source)
    return pd.DataFrame({"text_number": number, "shard": shard, "typed": typed})


def pair_rows(world: World[SimulatedSource], texts: pd.DataFrame) -> pd.DataFrame:
    """Draw PAIRS, one row per text of `texts` (text_number, text_key) and item that competes for
    it.

    judged_grade is what raters say of the pair, null where they do not judge it.
    """
    source, draws = world.source, world.draws
    number = texts["text_number"].to_numpy()
    pool = draw_pools(draw_intents(number, source, draws), source, draws)
    text, items = number[pool.text], draw_items(pool.item, draws)
    size = source.pool_matches + source.pool_popular + source.pool_misfits
    is_judged = (draws.draw_uniform("judged", text) < source.judged_share) & (
        draws.draw_uniform("judged", text, pool.item) < source.judged_items / size
    )
    rated = draw_rated_grade(pool.grade, source.rater_noise_sd, draws, text, pool.item)
    return pd.DataFrame(
        {
            "text_number": text,
            "text_key": texts["text_key"].to_numpy()[pool.text],
            "item_id": format_item_ids(pool.item),
            "grade": pool.grade,
            "relevance": pool.grade.astype(np.float64),
            "judged_grade": pd.Series(rated, dtype="Int32").where(pd.Series(is_judged)),
            "brand": NAMES["brand"][items.attributes[:, 0]],
            "price": items.price,
            **items.latents._asdict(),
        }
    )


def offered_rows(world: World[HomeDepotSource], items: pd.DataFrame) -> pd.DataFrame:
    """Draw latents, a price and a listing day for the items (item_id, item_type, brand)."""
    draws, key = world.draws, as_keys(items["item_id"])
    latents = draw_latents(key, as_keys(items["brand"].fillna("")), draws)
    kind = draws.draw_normal("type price", as_keys(items["item_type"].fillna("")))
    return items.assign(
        **latents._asdict(),
        price=compute_prices(np.exp(3.4 + 0.8 * kind), latents.cheapness),  # mostly 10 to 100
        listed_on=draw_listing_days(key, draws, world.first_day),
    )


def latent_rows(world: World[HomeDepotSource], pairs: pd.DataFrame) -> pd.DataFrame:
    """Draw the relevance behind the rating of the pairs (text_key, item_id,
    rating); 0 without one.
    """
    keys = as_keys(pairs["text_key"]), as_keys(pairs["item_id"])
    reliability, rating = world.source.rating_reliability, pairs["rating"].to_numpy(np.float64)
    drawn = draw_latent_relevance(rating, reliability, world.draws, *keys)
    return pairs.drop(columns="rating").assign(relevance=np.where(np.isnan(rating), 0.0, drawn))


def taste_rows(world: World[Source], brands: pd.DataFrame) -> pd.DataFrame:
    """Draw TASTES, one row per region and `brand`."""
    regions = as_keys(world.regions)[:, None]
    tastes = draw_taste(world.source.shoppers, world.draws, regions, as_keys(brands["brand"]))
    names = [f"brand_taste.{region}.{b}" for region in world.regions for b in brands["brand"]]
    meaning = "a region's liking of a brand (logit of a click)"
    return pd.DataFrame({"name": names, "value": tastes.ravel(), "meaning": meaning})


def truth_rows(world: World[Source], pairs: pd.DataFrame) -> pd.DataFrame:
    """Work out TRUTH, one row per region and pair: P(click), P(cart), P(purchase) of an examined
    item by attraction, without trust.
    """
    planted = compute_funnel(
        build_market_pairs(pairs), world.source.shoppers, world.regions, world.draws
    )
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
    """Draw SEARCHES of the slots in `id`."""
    slot = slots["id"].to_numpy()
    return draw_searches(slot, world.source, world.regions, text_count, world.run_date, world.draws)
