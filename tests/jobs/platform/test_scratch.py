"""The private folder of local Spark: made, swept after a kill, gone at the end."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conf.load import ConfError
from jobs.platform.scratch import _remove_folder, open_scratch, temporary_files_in


def test_only_folders_of_dead_processes_of_this_host_are_swept(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here, scratch = socket.gethostname(), tmp_path / ".spark"
    names = [f"{here}-{ended.pid}", f"{here}-1", f"elsewhere-{ended.pid}", f"{here}-notes"]
    for name in names:
        (scratch / name / "blockmgr-1").mkdir(parents=True)
    mine = open_scratch(tmp_path)
    assert {path.name for path in scratch.iterdir()} == {*names[1:], mine.name}
    assert mine.stat().st_mode & 0o777 == 0o700
    assert open_scratch(tmp_path) == mine


def test_nothing_is_left_of_a_run_that_wrote_nothing(tmp_path: Path) -> None:
    root = tmp_path / "warehouse"
    folder = open_scratch(root)
    (folder / "blockmgr-1").mkdir()
    _remove_folder(folder, root)
    assert not root.exists()


def test_temporary_files_go_where_they_are_swept_and_only_meanwhile(tmp_path: Path) -> None:
    with temporary_files_in(tmp_path):
        folder = Path(tempfile.mkdtemp())
    assert folder.parent == tmp_path
    assert Path(tempfile.gettempdir()) != tmp_path


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(ConfError, match=r"storage.root: .*root cannot be written \(Not a dir"):
        open_scratch(tmp_path / "root")
