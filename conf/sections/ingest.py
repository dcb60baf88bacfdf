"""What a raw row must satisfy, and how much may be quarantined."""

from pydantic import Field

from conf.sections.base import Section


class IngestConf(Section):
    """Rules of `ingest` that differ between sites."""

    max_text_chars: int = Field(2_000, ge=1, description="longest query or title kept (characters)")
    allow_cart_without_click: bool = Field(
        False, description="true where items can be put in the cart from the result page"
    )
    allow_purchase_without_cart: bool = Field(
        False, description="true where one-click purchase exists"
    )
    max_quarantined_share: float = Field(
        0.5, gt=0, le=1, description="share of a table's rows above which the job fails (fraction)"
    )
