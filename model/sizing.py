"""Widths for a given number of parameters, so that models are compared at equal size."""

import itertools
from collections.abc import Callable, Iterator

import torch

from conf.errors import UserError
from conf.sections.model import ModelConf
from model.ranker import build_ranker
from model.spec import InputSpec
from model.split_sums import QUANTILES
from model.standardise import Standardisation

Widths = tuple[int, ...]
TOLERANCE = 0.02
"""Deviation from the wanted parameters that is taken (fraction)."""
_NEAR = 3
"""Units that single widths are moved by, all together: few, so that the search stays short."""
_LARGEST = 64.0
"""Factor at which the search for larger widths ends."""


class SizingError(UserError, ValueError):
    """No widths give the wanted number of parameters; the message names the nearest ones."""


def count_parameters(spec: InputSpec, conf: ModelConf, scale: Standardisation | None = None) -> int:
    """Count the parameters of the whole ranker that learn: embeddings, region part, backbone,
    heads.

    Args:
        scale: statistics of the training rows, whose values decide how many bins a feature has;
            None: each has as many as conf allows.
    """
    with torch.random.fork_rng(devices=[]):
        ranker = build_ranker(spec, scale or _assume_varied(spec), conf)
    return sum(p.numel() for p in ranker.parameters() if p.requires_grad)


def size_conf(
    spec: InputSpec,
    conf: ModelConf,
    target: int,
    scale: Standardisation | None = None,
) -> ModelConf:
    """Scale `hidden` of the conf so that the ranker has about `target` parameters.

    All widths of `hidden` (of experts, bottoms or steps, where the backbone has several) are
    multiplied by one factor. Where rounding misses the target, single widths are moved by a few
    units, those of conf `tower` only where it cannot be helped. Experts and embeddings stay.

    Args:
        target: parameters wanted (count), as of `count_parameters`.
        scale: as of `count_parameters`.

    Raises:
        SizingError: no such widths are found.
    """
    depth = len(conf.hidden)
    counts: dict[Widths, int] = {}

    def with_widths(widths: Widths) -> ModelConf:
        return conf.model_copy(update={"hidden": widths[:depth], "tower": widths[depth:]})

    def count_of(widths: Widths) -> int:
        if widths not in counts:
            counts[widths] = count_parameters(spec, with_widths(widths), scale)
        return counts[widths]

    scaled = _bisect_widths(conf.hidden, target, lambda hidden: count_of(hidden + conf.tower))
    for widths in _generate_neighbours(scaled, conf.tower):
        if abs(count_of(widths) - target) <= TOLERANCE * target:
            return with_widths(widths)
    nearest = min(counts, key=lambda widths: abs(counts[widths] - target))
    raise SizingError(
        f"backbone {conf.backbone}: no widths within {TOLERANCE:.0%} of {target:,} parameters; "
        f"nearest: hidden {list(nearest[:depth])}, tower {list(nearest[depth:])} with "
        f"{counts[nearest]:,}"
    )


def _assume_varied(spec: InputSpec) -> Standardisation:
    """Make statistics of features that all take many values."""
    numeric = [f.name for f in spec.features if f.kind == "numeric"]
    grid = [i / QUANTILES for i in range(QUANTILES + 1)]
    return Standardisation(
        mean=dict.fromkeys(numeric, 0.0),
        std=dict.fromkeys(numeric, 1.0),
        rates={},
        rows=1,
        quantiles=dict.fromkeys(numeric, grid),
    )


def _bisect_widths(base: Widths, target: int, count: Callable[[Widths], int]) -> Widths:
    """Find the largest common factor whose widths stay at or below the target, within 1 / 1000."""
    low, high = 0.0, 1.0
    while count(_scale_widths(base, high)) < target and high < _LARGEST:
        low, high = high, high * 2.0
    while high - low > 1e-3 * high:
        middle = (low + high) / 2.0
        below = count(_scale_widths(base, middle)) <= target
        low, high = (middle, high) if below else (low, middle)
    return _scale_widths(base, low)


def _scale_widths(base: Widths, factor: float) -> Widths:
    return tuple(max(1, round(width * factor)) for width in base)


def _generate_neighbours(hidden: Widths, tower: Widths) -> Iterator[Widths]:
    """Yield widths at most `_NEAR` units away in all, the nearest first, and first those that leave
    the tower as it is."""
    depth = len(hidden)
    moves = itertools.product(range(-_NEAR, _NEAR + 1), repeat=depth + len(tower))
    near = [move for move in moves if sum(map(abs, move)) <= _NEAR]
    for move in sorted(near, key=lambda m: (sum(map(abs, m[depth:])), sum(map(abs, m)))):
        moved = tuple(width + step for width, step in zip(hidden + tower, move, strict=True))
        if min(moved) >= 1:
            yield moved
