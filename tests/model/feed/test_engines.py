"""What an engine is loaded with, and the folders that each can read."""

import sys
from pathlib import Path

import pytest

from bench.synthetic import Planted, write_snapshot
from conf.sections.training import FeedConf
from model.feed import RowSelection, open_snapshot, read_batches
from model.feed.engines import EngineError, load_engine


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "petastorm", None)
    monkeypatch.delitem(sys.modules, "model.feed.petastorm", raising=False)
    with pytest.raises(EngineError, match=r"petastorm is not installed.*feed\.engine: pyarrow"):
        load_engine("petastorm")


@pytest.mark.parametrize("engine", ["petastorm", "pyarrow", "memory"])
def test_a_folder_may_have_any_name(tmp_path: Path, engine: str) -> None:
    folder = write_snapshot(tmp_path / "wärehouse 100%20 ☃", Planted(rows=(30, 10), files=(3, 1)))
    conf = FeedConf.model_validate({"engine": engine, "batch_size": 64, "shuffle_files": 2})
    found = list(read_batches(open_snapshot(folder), RowSelection("train"), conf))
    assert sum(float(batch.weight.sum()) for batch in found) == 30
