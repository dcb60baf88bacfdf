"""A training on a volume or an object store's mount: files are written from start to end, once."""

import builtins
import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conf.load import load_conf
from model.feed import Snapshot
from model.serving.artifact import load_model, save_model
from model.training.fit import fit_ranker

QUICK = (
    "feed.engine=pyarrow",
    "model.hidden=[8]",
    "model.tower=[4]",
    "trainer.epochs=3",
    "trainer.min_steps=1",
    "trainer.progress=false",
)


class Sequential(io.FileIO):
    """A file that refuses to seek, as it is written through such a mount."""

    def seekable(self) -> bool:
        """The buffer around it asks, and raises on a seek."""
        return False


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files can be read, and written whole: no append, no update, no seek."""
    real, root = io.open, tmp_path / "volume"

    def sequential(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
        inside = isinstance(file, str | Path) and Path(file).is_relative_to(root)
        if not inside or set(mode) <= set("rbt"):
            return real(file, mode, *rest, **named)
        if set(mode) & set("a+"):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported", str(file))
        stream = io.BufferedWriter(Sequential(file, mode.replace("b", "")))
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding="utf-8")

    for place in (io, builtins):
        monkeypatch.setattr(place, "open", sequential)
    root.mkdir()
    return root


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.open("a"),
        lambda path: path.open("r+b"),
        lambda path: path.open("wb").seek(0),
    ],
)
def test_the_volume_refuses_what_volumes_refuse(
    volume: Path, write: Callable[[Path], object]
) -> None:
    (volume / "file").write_text("text", encoding="utf-8")
    with pytest.raises(OSError, match=r"not (supported|seekable)"):
        write(volume / "file")


def test_a_training_keeps_its_log_and_its_model_on_a_volume(
    volume: Path, snapshot: Snapshot
) -> None:
    tree = load_conf(settings=QUICK).tree
    fitted = fit_ranker(snapshot, tree, volume / "training", "", {})
    save_model(fitted.artifact, volume / "model")
    load_model(volume / "model")
    lines = (volume / "model" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == fitted.progress.epoch == 3
