"""The features of a hotel-search row: known when the session started, or drawn from the list.

The list is what was on offer: prices, their order, how many items and active filters. What
happened in the session before the clickout is no feature, and where the logger put the item is one
only where a conf asks for it.
"""

from dataclasses import replace

from features.spec import Feature

QUERY_LEVEL: tuple[Feature, ...] = (
    Feature(
        "region_index",
        "query",
        "position of the site among the regions, from 1",
        kind="category",
        regional=True,
    ),
    Feature(
        "device", "query", "1 desktop, 2 mobile, 3 tablet, 0 another", kind="category", buckets=4
    ),
    Feature("hour_sin", "query", "sine of the hour of the session's start (UTC)", regional=True),
    Feature("hour_cos", "query", "cosine of the hour of the session's start (UTC)", regional=True),
    Feature("filters", "query", "log1p of active filters"),
    Feature("list_length", "query", "items in the list (count)"),
    Feature("list_log_price", "query", "mean log price of the list", regional=True),
    Feature("list_price_spread", "query", "standard deviation of the list's log prices"),
    Feature("city_clickouts", "query", "log1p of clickouts in the city before the session"),
    Feature(
        "site_clickouts",
        "query",
        "log1p of clickouts on the site before the session",
        regional=True,
    ),
)

ITEM_LEVEL: tuple[Feature, ...] = (
    Feature("item_log_price", "item", "log of the price shown", regional=True),
    Feature("item_impressions", "item", "log1p of impressions before the session"),
    Feature("item_clickouts", "item", "log1p of clickouts before the session"),
    Feature("item_engagements", "item", "log1p of sessions that engaged, before the session"),
    Feature("item_ctr", "item", "smoothed clickouts per impression before the session"),
    Feature("item_engaged_rate", "item", "smoothed engagements per impression before the session"),
    Feature("item_price_vs_usual", "item", "log price less the item's mean so far; 0 never seen"),
    Feature("item_site_impressions", "item", "log1p of impressions on the site", regional=True),
    Feature("item_site_clickouts", "item", "log1p of clickouts on the site", regional=True),
    Feature(
        "item_site_ctr", "item", "smoothed clickouts per impression on the site", regional=True
    ),
)

PAIR_LEVEL: tuple[Feature, ...] = (
    Feature("price_rank", "query_item", "rank of the price in the list, 0 cheapest .. 1 dearest"),
    Feature("price_vs_list", "query_item", "log price less the list's mean"),
    Feature("clickouts_vs_list", "query_item", "item_clickouts less the list's mean"),
    Feature("engagements_vs_list", "query_item", "item_engagements less the list's mean"),
    Feature("ctr_vs_list", "query_item", "item_ctr less the list's mean"),
)

FEATURES: tuple[Feature, ...] = (*QUERY_LEVEL, *ITEM_LEVEL, *PAIR_LEVEL)
DEVICES = ("desktop", "mobile", "tablet")


LOGGED_RANK = Feature("logged_rank", "query_item", "log of the rank that the logger gave, from 1")


def declare_features(regions: int, logged_rank: bool = False) -> tuple[Feature, ...]:
    """Return the declarations with the number of regions filled in, and
    LOGGED_RANK where wanted.
    """
    sized = tuple(
        replace(feature, buckets=regions + 1) if feature.name == "region_index" else feature
        for feature in FEATURES
    )
    return (*sized, LOGGED_RANK) if logged_rank else sized
