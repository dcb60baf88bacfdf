"""The actions of a session log: their contract and the rules that a row must keep.

A `clickout item` carries the list shown (`impressions`, item ids from the top) and the prices, both
separated by bars; its `reference` is the item clicked. Session ids come back now and then, so the
order within a session is (timestamp, step).
"""

from datetime import UTC, date, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.contracts.table import Table, declare_optional, declare_required
from features.quality.rule import Rule
from features.quality.tables import checked_rows
from features.quality.values import require_member

CLICKOUT = "clickout item"
ENGAGEMENTS = (
    "interaction item image",
    "interaction item info",
    "interaction item rating",
    "interaction item deals",
    "search for item",
)
"""Actions that engage with the item that `reference` names."""

OTHER_ACTIONS = (
    "search for destination",
    "search for poi",
    "change of sort order",
    "filter selection",
)

ACTIONS = Table(
    name="trivago_actions",
    grain="one row per action of a session",
    columns=(
        *declare_required(
            [
                ("user_id", "string", "user"),
                ("session_id", "string", "session"),
                ("timestamp", "long", "seconds since 1970 (UTC)"),
                ("step", "long", "number of the action in the session, from 1"),
                ("action_type", "string", "what the user did"),
                ("reference", "string", "item, place, filter or order that the action names"),
                ("platform", "string", "country site"),
                ("city", "string", "place searched"),
                ("device", "string", "desktop, mobile or tablet"),
            ]
        ),
        *declare_optional(
            [
                ("current_filters", "string", "active filters, separated by bars"),
                ("impressions", "string", "clickouts: items shown, separated by bars"),
                ("prices", "string", "clickouts: their prices, separated by bars"),
            ]
        ),
    ),
    key=("user_id", "session_id", "timestamp", "step"),
)


def checked_actions(raw: DataFrame, conf: Conf, run_date: date) -> DataFrame:
    """Return the typed actions and their verdicts, as the other raw tables have them.

    A list that cannot be trusted fails as a whole: features are taken relative to it.
    """
    end = datetime(run_date.year, run_date.month, run_date.day, tzinfo=UTC)
    late = F.when(
        F.col("timestamp") >= int(end.timestamp()), F.lit(f"timestamp is not before {run_date}")
    )
    actions = (CLICKOUT, *ENGAGEMENTS, *OTHER_ACTIONS)
    rules = [
        require_member("unknown_action", "action_type", actions, "the actions of the format"),
        Rule("event_after_run_date", late),
        *_list_rules(),
    ]
    return checked_rows(raw, ACTIONS, conf, rules)


def ids_of(listed: Column) -> Column:
    """Split a text at its bars into an array."""
    return F.split(listed, r"\|")


def prices_of(listed: Column) -> Column:
    """Read the prices as array<double>; null where one cannot be read."""
    return F.transform(ids_of(listed), lambda price: price.try_cast("double"))


def _list_rules() -> list[Rule]:
    items, prices = ids_of(F.col("impressions")), prices_of(F.col("prices"))
    unread = F.exists(prices, lambda p: p.isNull() | F.isnan(p) | ~p.between(1e-6, 1e12))
    clicked = F.col("reference")
    verdicts = (
        ("no_list", F.col("impressions").isNull() | F.col("prices").isNull(), "no list or prices"),
        ("list_lengths", F.size(items) != F.size(prices), "not one price an item"),
        ("item_twice", F.size(F.array_distinct(items)) != F.size(items), "an item stands twice"),
        ("price_positive", unread, "a price is not a positive number"),
        (
            "click_off_list",
            ~F.array_contains(items, clicked),
            "the item clicked is not in the list",
        ),
    )
    is_clickout = F.col("action_type") == CLICKOUT
    return [Rule(name, F.when(is_clickout & wrong, F.lit(what))) for name, wrong, what in verdicts]
