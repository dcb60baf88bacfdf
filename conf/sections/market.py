"""What the two simulated engagement logs share: traffic, logging policy, clicks, shoppers."""

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.sections.base import Section


class PolicyConf(Section):
    """How the logger ranked a result page: a weighted sum of standardised terms."""

    exploration: float = Field(
        0.25, gt=0, le=1, description="share of pages in a uniformly random order (fraction)"
    )
    popularity: float = Field(1.0, description="weight of the item's popularity (z-score)")
    price: float = Field(0.6, description="weight of a price below the type's usual one (z-score)")
    match: float = Field(0.3, description="weight of the planted relevance (per grade)")
    text: float = Field(
        0.0, description="weight of the share of the query's words in title and brand (z-score)"
    )
    model: float = Field(
        0.0,
        description="weight of last night's model: the planted click logit with an error (z-score)",
    )
    model_error_sd: float = Field(
        1.0, ge=0, description="error of last night's model, fixed by query and item (logit, sd)"
    )
    drift_sd: float = Field(0.5, ge=0, description="day-to-day noise of an item's rank score (sd)")


class ClicksConf(Section):
    """How a shopper reads a page, whatever is on it."""

    model: Literal["position", "cascade"] = Field(
        "position",
        description="position: each position is examined by itself; cascade: from the top down, "
        "and a click may end it",
    )
    examination_power: float = Field(
        1.0,
        ge=0,
        description="power of the measured examination curve: 0 every position is examined, 0.5 a "
        "flat curve, 1 as measured, 1.5 a steep curve",
    )
    stop_after_click: float = Field(
        0.7,
        ge=0,
        le=1,
        description="cascade: share of shoppers who read no further after a click (fraction)",
    )
    trust_bias: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the examined items at position 1 that are clicked although they do "
        "not attract; it falls as 1 / position; 0: none (fraction)",
    )


class ShoppersConf(Section):
    """Planted behaviour. Terms add up on the logit of each step of the funnel."""

    click_intercept: float = Field(
        -1.5, description="probability that an average item, once examined, is clicked (logit)"
    )
    cart_intercept: float = Field(
        -1.2, description="probability that an average item, once clicked, is carted (logit)"
    )
    purchase_intercept: float = Field(
        -0.5, description="probability that an average item, once carted, is bought (logit)"
    )
    relevance_strength: float = Field(
        1.2,
        ge=0,
        description="effect of one grade of the planted relevance; 0 none, 0.5 weak, 2 strong "
        "(logit)",
    )
    popularity: float = Field(0.5, description="effect of popularity on clicks (logit per sd)")
    quality: float = Field(0.3, description="effect of quality on every step (logit per sd)")
    price_sensitivity_min: float = Field(
        0.2, ge=0, description="effect of a low price in the least sensitive region (logit per sd)"
    )
    price_sensitivity_max: float = Field(
        0.7, ge=0, description="effect of a low price in the most sensitive region (logit per sd)"
    )
    brand_taste_sd: float = Field(
        0.4, ge=0, description="spread of a region's liking of a brand, on clicks (logit, sd)"
    )
    pair_noise_sd: float = Field(
        0.3, ge=0, description="spread of what nothing explains for a query and item (logit, sd)"
    )

    @model_validator(mode="after")
    def _sensitivities_in_order(self) -> Self:
        if self.price_sensitivity_min > self.price_sensitivity_max:
            raise ValueError("price_sensitivity_min must not exceed price_sensitivity_max")
        return self


class MarketSource(Section):
    """Traffic and behaviour of a simulated log."""

    days: int = Field(
        56,
        ge=2,
        le=3_650,
        description="days of log before the run date; 56: the 28 training days have features of "
        "a whole 28 days before each (days)",
    )
    impressions: int = Field(
        300_000, ge=100, description="impressions over all days, about (count)"
    )
    page_size: int = Field(12, ge=1, le=100, description="items of a result page (count)")
    zipf_exponent: float = Field(
        0.9,
        ge=0,
        le=3,
        description="a query's traffic is proportional to its rank to the power of minus this",
    )
    region_skew: float = Field(
        0.5,
        ge=0,
        description="a region's traffic is proportional to its place in `regions` to the power of "
        "minus this",
    )
    late_share: float = Field(
        0.02, ge=0, le=1, description="share of rows that reach the log 1 to 3 days late (fraction)"
    )
    delayed_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="share of carts and purchases that come up to 36 hours after the step before, "
        "the others within 30 minutes (fraction)",
    )
    policy: PolicyConf = Field(default_factory=PolicyConf, description="logging policy")
    clicks: ClicksConf = Field(default_factory=ClicksConf, description="how pages are read")
    shoppers: ShoppersConf = Field(default_factory=ShoppersConf, description="planted behaviour")
