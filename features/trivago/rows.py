"""Impression rows of a session log: one row per clickout and position of its list, with labels.

`engaged` is 1 where the session engaged with the item before the clickout; `clickout` is 1 where
the clickout was on the item. Both are known for every row.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from features.trivago.actions import CLICKOUT, ENGAGEMENTS, ids_of, prices_of

SESSION = ["user_id", "session_id"]
TASKS = ("engaged", "clickout")


def pages_of(actions: DataFrame) -> DataFrame:
    """Return one row per clickout: its keys, time, context and list.

    Returns:
        page_id, user_id, session_id, site, city, device, session_start (s), clicked_at (s), moment
        (struct by which actions of a session are ordered), filters (active ones, count), clicked,
        list (array of item_id and price, from the top).
    """
    start = F.min("timestamp").over(Window.partitionBy(*SESSION))
    listed = F.zip_with(
        ids_of(F.col("impressions")),
        prices_of(F.col("prices")),
        lambda item, price: F.struct(item.alias("item_id"), price.alias("price")),
    )
    filters = F.when(F.col("current_filters").isNull(), 0).otherwise(
        F.size(ids_of(F.col("current_filters")))
    )
    return (
        actions.withColumn("session_start", start)
        .where(F.col("action_type") == CLICKOUT)
        .select(
            F.concat_ws("|", *SESSION, "timestamp", "step").alias("page_id"),
            *SESSION,
            F.col("platform").alias("site"),
            "city",
            "device",
            "session_start",
            F.col("timestamp").alias("clicked_at"),
            F.struct("timestamp", "step").alias("moment"),
            filters.alias("filters"),
            F.col("reference").alias("clicked"),
            listed.alias("list"),
        )
    )


def engagements_of(actions: DataFrame) -> DataFrame:
    """Return a session's first engagement with each item: user_id, session_id, item_id, site,
    engaged_from.

    One row per session and item. `search for item` names an item too, but not one of the list.
    """
    return (
        actions.where(F.col("action_type").isin(*ENGAGEMENTS))
        .groupBy(*SESSION, F.col("reference").alias("item_id"))
        .agg(
            F.min("platform").alias("site"),
            F.min(F.struct("timestamp", "step")).alias("engaged_from"),
        )
    )


def impression_rows(
    pages: DataFrame, engagements: DataFrame, engaged_by_click: bool = False
) -> DataFrame:
    """Return the items of every page, from the top, with labels and masks.

    The first engagement of a session and item is one row, so no row is doubled.

    Args:
        engaged_by_click: the click itself counts as engagement.
    """
    before = F.coalesce(F.col("engaged_from") < F.col("moment"), F.lit(False))
    clicked = F.col("item_id") == F.col("clicked")
    engaged = before | clicked if engaged_by_click else before
    engaged_rows = engagements.select(*SESSION, "item_id", "engaged_from")
    return (
        pages.select("*", F.posexplode("list").alias("place", "shown"))
        .withColumns({"item_id": F.col("shown.item_id"), "price": F.col("shown.price")})
        .join(engaged_rows, on=[*SESSION, "item_id"], how="left")
        .withColumns(
            {
                "position": F.col("place") + 1,
                "label_engaged": engaged.cast("int"),
                "mask_engaged": F.lit(1),
                "label_clickout": clicked.cast("int"),
                "mask_clickout": F.lit(1),
                "list_length": F.size("list"),
            }
        )
        .drop("list", "place", "shown", "moment", "clicked", "engaged_from")
    )
