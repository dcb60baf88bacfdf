"""Graded Home Depot pairs by bucket of the query, as labelers take them."""

import csv
import gzip
import os
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.arrays import Floats
from model.labelers.base import Pairs, Targets
from model.labelers.metrics import Grades

FILE, BRANDS = "homedepot_pairs.csv.gz", "homedepot_brands.csv.gz"
_NO_BRAND = {"", "n/a", "unbranded"}
_EDGES = (1.5, 2.34)
"""Largest mean rating (1 to 3) of grade 0 and of grade 1."""


@dataclass(frozen=True)
class GradedPairs:
    """N pairs with grades [N], mean ratings [N] in 1..3, and soft targets made of the ratings."""

    pairs: Pairs
    grades: Grades
    ratings: Floats

    @property
    def targets(self) -> Targets:
        """P(>= 1) = min(1, e), P(>= 2) = max(0, e - 1) with e = rating - 1; weight 1."""
        expected = self.ratings - 1.0
        ge_1, ge_2 = np.minimum(1.0, expected), np.maximum(0.0, expected - 1.0)
        return Targets(ge_1, ge_2, np.ones(len(expected)))


def find_file() -> Path | None:
    """Find the file under COUNTERPOISE_DATA; None where it is absent."""
    path = Path(os.environ.get("COUNTERPOISE_DATA", "../shared/data")) / FILE
    return path if path.is_file() else None


def read_pairs(
    path: Path,
    buckets: Collection[int],
    limit: int | None = None,
    seed: int = 0,
    brands: bool = False,
) -> GradedPairs:
    """Read the pairs whose query lies in the buckets (crc32 of the trimmed lower-case text, modulo
    10).

    Args:
        path: of the file.
        buckets: 0 to 9.
        limit: pairs at most, drawn at random; None: all.
        seed: of the draw.
        brands: true: the brand leads a title that lacks it, where the file of brands is there.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if _compute_bucket(row["search_term"]) in buckets
        ]
    draw = np.random.default_rng(seed).permutation(len(rows))[:limit]
    chosen = [rows[at] for at in np.sort(draw)]
    ratings = np.array([float(row["relevance"]) for row in chosen])
    grades = np.searchsorted(_EDGES, ratings, side="left")
    by_product = _read_brands(path.with_name(BRANDS)) if brands else {}
    titles = [_add_brand(r["product_title"], by_product.get(r["product_uid"])) for r in chosen]
    pairs = Pairs([r["search_term"] for r in chosen], titles)
    return GradedPairs(pairs, np.asarray(grades, np.int64), ratings)


def _read_brands(path: Path) -> dict[str, str]:
    """Read the brand of each product; the file writes 100001 as 100001.0, and no brand in several
    ways."""
    if not path.is_file():
        return {}
    by_product: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            brand, product = row["brand"].strip(), row["product_uid"].split(".")[0]
            if brand.lower() not in _NO_BRAND:
                by_product[product] = min(brand, by_product.get(product, brand))
    return by_product


def _add_brand(title: str, brand: str | None) -> str:
    return title if brand is None or brand.lower() in title.lower() else f"{brand} {title}"


def _compute_bucket(query: str) -> int:
    return zlib.crc32(query.strip().lower().encode()) % 10
