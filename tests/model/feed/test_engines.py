"""An engine whose package is not installed is named, with the mend."""

import sys

import pytest

from model.feed.engines import EngineError, load_engine


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "petastorm", None)
    monkeypatch.delitem(sys.modules, "model.feed.petastorm", raising=False)
    with pytest.raises(EngineError, match=r"petastorm is not installed.*feed\.engine: pyarrow"):
        load_engine("petastorm")
