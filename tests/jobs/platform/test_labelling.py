"""The pace of a labelling run."""

import pytest

from jobs.platform import labelling
from jobs.platform.labelling import Pace


def test_the_pace_stops_before_a_chunk_that_would_end_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(labelling.time, "monotonic", lambda: clock[0])
    pace = Pace((10, 10, 10), 1.0, 100.0)
    assert pace.allows(10)
    clock[0] = 125.0
    assert "10 of 30 pairs of texts, 0/s, 0:00:50 left" in pace.after(10)
    assert pace.rate == pytest.approx(0.4)
    assert pace.allows(10)
    clock[0] = 151.0
    pace.after(10)
    assert not pace.allows(10)
    assert pace.left == 10 and pace.rate == pytest.approx(20 / 51)
    assert Pace((10,), None, 0.0).allows(10)
