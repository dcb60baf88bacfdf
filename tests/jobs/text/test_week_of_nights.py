"""A week of nights ends with what its last date gives from nothing."""

import datetime as dt
from pathlib import Path
from typing import Any

from chispa import assert_df_equality
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEM_FEATURES,
    ITEMS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    Table,
)
from jobs import build_features, import_features
from jobs.platform.runner import run_job
from tests.jobs.text.shop import ASKED, COMPARED, FIRST, JOBS, Shop

WEEK = [FIRST + dt.timedelta(days=n) for n in range(7)]
NAMES = ("Red sofa", "Navy sofa 84 in.", "Desk lamp", "Acme rug 6 ft.", "Lamp shade", "Oak desk")


def deliver_night(shop: Shop, n: int, *, whole: bool) -> None:
    """Write what a source has on night `n` of WEEK: each day an item is new, one is renamed and
    one may leave, a query is new, and pages of the day before are shown.

    Args:
        whole: the log and the own features of all days up to it; else of the night alone.
    """
    day, warehouse = WEEK[n], shop.warehouse(WEEK[n])
    titles = {f"i{k}": NAMES[(k + (k < n)) % len(NAMES)] for k in range(n + 4) if k % 4 or k >= n}
    asked = list_asked(n)
    items = [{"item_id": i, "title": t, "price": 5.0} for i, t in titles.items()]
    queries = [{"query_id": t, "query_text": t, "region": "us"} for t in asked]
    pairs = [
        {"query_id": t, "item_id": i, "region": "us", "from_log": True, "run_date": day}
        for t in asked
        for i in titles
    ]
    for table, rows in ((ITEMS, items), (QUERIES, queries)):
        warehouse.replace(table, shop.frame(table, rows), "true")
    warehouse.replace_run(CANDIDATES, shop.frame(CANDIDATES, pairs))
    nights = range(n + 1) if whole else [n]
    shown = [row for night in nights for row in show_page(WEEK[night])]
    warehouse.merge(IMPRESSIONS, shop.frame(IMPRESSIONS, shown))
    own = [f"i{k},{WEEK[night]},{k * 7 + night}" for night in nights for k in range(night + 4)]
    season = [f"{t},{WEEK[m]},{len(t) % 2 == m % 2}" for m in nights for t in list_asked(m)]
    boost = [f"{t},i{m + 3},{WEEK[m]},{len(t) / 8 + m}" for m in nights for t in list_asked(m)]
    for name, head, lines in (
        ("stock", "item_id,day,stock", own),
        ("season", "query_text,day,seasonal", season),
        ("boost", "query_text,item_id,day,boost", boost),
    ):
        name_own_file(shop, name).write_text("\n".join([head, *lines]))


def name_own_file(shop: Shop, name: str) -> Path:
    return shop.root.with_suffix(f".{name}.csv")


def run_own_night(shop: Shop, n: int, *, with_features: bool) -> dict[Table, DataFrame]:
    """Run the night with own features; the features as they are stored, if they are made."""
    own = [
        f"features.own.{name}={{format: csv, path: '{name_own_file(shop, name)}', as_of: day, "
        f"{rest}}}"
        for name, rest in (
            ("stock", "key: [item_id], features: {stock: {dtype: int}}"),
            (
                "season",
                "key: [query_text, region], fixed: {region: us}, "
                "features: {seasonal: {dtype: boolean}}",
            ),
            ("boost", "key: [query_text, item_id], features: {boost: {}}"),
        )
    ]
    conf = shop.conf(WEEK[n], *own, "features.statistics_renewal=0", "features.training_days=3")
    for job in (import_features, *JOBS, *([build_features] if with_features else [])):
        run_job(job.JOB, shop.spark, conf)
    if not with_features:
        return {}
    stored = {t: shop.warehouse(WEEK[n]).read_run(t) for t in (ITEM_FEATURES, *COMPARED)}
    pairs = stored[QUERY_ITEM_FEATURES]  # the last digits of a cosine are those of its batch
    rounded = pairs.withColumn("pair_cosine", F.round("pair_cosine", 4))
    stored[QUERY_ITEM_FEATURES] = rounded
    return {t: rows.withColumn("own", F.to_json("own")) for t, rows in stored.items()}


def list_asked(n: int) -> list[str]:
    """Queries of night `n` of WEEK."""
    return [*ASKED[FIRST], *(name.lower() for name in NAMES[1 : n + 1])]


def show_page(day: dt.date) -> list[dict[str, Any]]:
    """The page that was shown the day before, of two queries: the first item is clicked."""
    at = dt.datetime.combine(day - dt.timedelta(days=1), dt.time(12))
    return [
        {
            "search_id": f"{query} {day}",
            "query_id": query,
            "item_id": f"i{item}",
            "region": "us",
            "position": item,
            "event_time": at,
            "known_at": at,
            "event_date": at.date(),
            "price": 5.0,
            "clicked": item == 1,
            "carted": False,
            "purchased": False,
        }
        for query in ASKED[FIRST]
        for item in (1, 2, 3)
    ]


def test_a_week_of_nights_ends_with_what_its_last_date_gives_from_nothing(
    shop: Shop, tmp_path: Path
) -> None:
    """Items, texts, the log and own features change every day."""
    for n in range(len(WEEK)):
        deliver_night(shop, n, whole=False)
        found = run_own_night(shop, n, with_features=n == len(WEEK) - 1)
    alone = Shop(shop.spark, tmp_path / "alone", shop.encoder, shop.frame)
    deliver_night(alone, n, whole=True)
    for table, expected in run_own_night(alone, n, with_features=True).items():
        assert_df_equality(found[table], expected, ignore_row_order=True)
        assert not expected.isEmpty()
    items = found[ITEM_FEATURES]
    for table, least in ((ITEM_FEATURES, 10), (QUERY_FEATURES, 1), (QUERY_ITEM_FEATURES, 3)):
        assert found[table].select("own").distinct().count() > least, table.name
    assert not items.where("item_debiased_ctr_28d > 0").isEmpty()
