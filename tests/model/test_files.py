"""Files and folders are whole or absent, and damaged JSON is named with its mend."""

from pathlib import Path

import pytest

from model.files import new_folder, read_json, write_json, write_text


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "reports" / "train.json", "a longer text")
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_value_that_json_lacks_is_an_error_unless_it_is_said_how_to_write_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"path": tmp_path})
    write_json(tmp_path / "a.json", {"path": tmp_path}, default=str)
    assert read_json(tmp_path / "a.json", ValueError) == {"path": str(tmp_path)}


def test_damaged_json_is_named_with_its_mend(tmp_path: Path) -> None:
    for content in (b"{", b"\xff"):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(LookupError, match=r"a\.json is damaged \(.*\): train again$"):
            read_json(tmp_path / "a.json", LookupError, "train again")


def test_a_folder_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "model"
    with new_folder(folder) as new:
        (new / "one").touch()
        assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), new_folder(folder) as new:
        (new / "half").touch()
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["one"]
    left = folder.with_name(".model.new-01234567")  # of a run that was killed
    left.mkdir()
    with new_folder(folder) as new:
        (new / "two").touch()
    assert [path.name for path in folder.iterdir()] == ["two"]
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
