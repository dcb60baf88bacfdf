"""Training conf that cannot be meant is refused with its key."""

import pytest

from conf.load import SIMULATED, ConfError, load_conf


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("trainer.loss_weights.click=-1", "finite and not negative"),
        ("trainer.loss_weights={click: .nan}", "finite number"),
        ("trainer.processes=2", "need backend: distributor"),
        ("model.backbone=transformer", "shared_bottom"),
        ("model.hidden=[]", "at least 1 item"),
        ("feed.engine=csv", "petastorm"),
        ("calibration.methods=platt", "nearest valid one is calibration.method"),
    ],
)
def test_refused(setting: str, reason: str) -> None:
    with pytest.raises(ConfError, match=reason):
        load_conf([SIMULATED], settings=[setting])
