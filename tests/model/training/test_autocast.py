"""Every ranker learns under bfloat16 autocast: an operation that mixes types refuses on its own.

On the CPU, whose autocast follows the same rules of types as the one on GPUs.
"""

from itertools import product

import pytest
import torch

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.backbones import BACKBONES
from model.feed import Batch, RowSelection, Snapshot, read_batches
from model.heads import POSITION_BIASES, RELEVANCE_HEADS
from model.losses import total_loss
from model.ranker import build_ranker
from model.regions import PARTS
from model.standardise import Standardisation

PARTS_TOGETHER = [
    *({"backbone": b, "region_mask": r} for b, r in product(BACKBONES, PARTS)),
    *({"backbone": "seq", "link": link} for link in ("independent", "conditional", "residual")),
    *({"relevance_head": head} for head in RELEVANCE_HEADS),
    *({"position_bias": bias} for bias in POSITION_BIASES),
    *({"numeric": numeric} for numeric in ("standard", "periodic")),
]


@pytest.fixture(scope="module")
def lists(listed: Snapshot) -> Batch:
    """The first 100 rows, whole lists."""
    conf = FeedConf(batch_size=100, engine="pyarrow", group_by_list=True, shuffle_files=3)
    return next(read_batches(listed, RowSelection("train"), conf))


@pytest.mark.parametrize("parts", PARTS_TOGETHER, ids=lambda parts: "-".join(parts.values()))
def test_it_trains_under_autocast(
    parts: dict[str, str], listed: Snapshot, scale: Standardisation, lists: Batch
) -> None:
    conf = ModelConf.model_validate({"hidden": (16, 8), "tower": (4,)} | parts)
    torch.manual_seed(3)
    ranker = build_ranker(listed.spec, scale, conf)
    plain = {name: float(loss.total.detach()) for name, loss in ranker(lists).items()}
    with torch.autocast("cpu", torch.bfloat16):
        losses = ranker(lists)
    total_loss(losses, {}).backward()
    # bfloat16 keeps 8 bits: a loss is the one in float32 to about 1 %, its gradients are finite.
    assert {name: float(loss.total.detach()) for name, loss in losses.items()} == pytest.approx(
        plain, rel=0.02
    )
    gradients = [p.grad for p in ranker.parameters() if p.grad is not None]
    assert gradients and all(bool(g.isfinite().all()) for g in gradients)
