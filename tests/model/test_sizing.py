"""Models of equal size: counts by hand, and widths that meet a target."""

import pytest
import torch

from conf.sections.model import ModelConf
from model.backbones import BACKBONES
from model.feed import Snapshot
from model.sizing import SizingError, _generate_neighbours, count_parameters, size_conf


def test_count_by_hand(snapshot: Snapshot) -> None:
    conf = ModelConf(hidden=(7, 5), tower=(3,), embedding_width=2, bins=4, position_bias="none")
    # 9 numeric features, each once and in 4 bins, 3 regions and 8 item types at width 2
    inputs = 9 * (1 + 4) + 2 + 2
    embeddings = 3 * 2 + 8 * 2
    bottom = (inputs + 1) * 7 + (7 + 1) * 5
    engagement, relevance = 3 * (6 * 3 + 4 * 1), 6 * 3 + 4 * 2
    assert count_parameters(snapshot.spec, conf) == embeddings + bottom + engagement + relevance


def test_counting_draws_nothing(snapshot: Snapshot) -> None:
    before = torch.get_rng_state()
    count_parameters(snapshot.spec, ModelConf())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("hidden", [(24,), (128, 64)])
def test_every_backbone_meets_the_shared_bottom_s_size(
    snapshot: Snapshot, backbone: str, hidden: tuple[int, ...]
) -> None:
    target = count_parameters(snapshot.spec, ModelConf(hidden=(128, 64)))
    conf = ModelConf.model_validate({"backbone": backbone, "hidden": hidden})
    found = size_conf(snapshot.spec, conf, target)
    assert abs(count_parameters(snapshot.spec, found) / target - 1.0) <= 0.02
    assert found == conf.model_copy(update={"hidden": found.hidden, "tower": found.tower})
    assert found.tower == (32,) or (backbone, hidden) == ("aitm", (24,))


def test_the_shape_is_kept(snapshot: Snapshot) -> None:
    target = count_parameters(snapshot.spec, ModelConf(hidden=(128, 64)))
    found = size_conf(snapshot.spec, ModelConf(hidden=(512, 256)), target)
    assert found.hidden == (128, 64)


@pytest.mark.parametrize("target", [10, 1_000_000_000])
def test_a_size_out_of_reach(snapshot: Snapshot, target: int) -> None:
    with pytest.raises(SizingError, match="no widths within 2% of"):
        size_conf(snapshot.spec, ModelConf(hidden=(4,), tower=()), target)


def test_neighbours_come_nearest_first() -> None:
    found = list(_generate_neighbours((2, 9), (5,)))
    assert found[0] == (2, 9, 5)
    assert set(found[1:5]) == {(1, 9, 5), (3, 9, 5), (2, 8, 5), (2, 10, 5)}
    assert [widths[2] for widths in found] == sorted(
        (widths[2] for widths in found), key=lambda width: abs(width - 5)
    )
    assert min(width for widths in found for width in widths) == 1
