"""Files of a snapshot, as a task writes them, and their hashes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from model.files import file_sha256
from udfs.snapshot_files import hash_values, make_file_writer

KEY = (pa.scalar("train"), pa.scalar(3, pa.int32()))
ROWS = pa.table(
    {
        "split": ["train"] * 3,
        "file": pa.array([3] * 3, pa.int32()),
        "place": [9, 7, 8],
        "a": pa.array([0.5, 1.5, None], pa.float32()),
        "b": pa.array([1.0, 2.0, 3.0], pa.float32()),
    }
)


def test_a_file_has_the_rows_in_their_places_and_the_columns_in_their_order(tmp_path: Path) -> None:
    (described,) = make_file_writer(tmp_path, ("b", "a"), "zstd")(KEY, ROWS).to_pylist()
    assert (described["split"], described["file"], described["rows"]) == ("train", 3, 3)
    path = Path(described["path"])
    assert path.parent == tmp_path
    written = pq.read_table(path)
    assert written.to_pydict() == {"b": [2.0, 3.0, 1.0], "a": [1.5, None, 0.5]}
    assert pq.read_metadata(path).num_row_groups == 1
    assert described["sha256"] == file_sha256(path)
    assert described["content"] == hash_values(written)


def test_a_task_that_is_tried_again_writes_another_file(tmp_path: Path) -> None:
    write = make_file_writer(tmp_path, ("a",), "none")
    first, second = (write(KEY, ROWS).to_pylist()[0] for _ in range(2))
    assert first["path"] != second["path"]
    assert first["sha256"] == second["sha256"] and first["content"] == second["content"]


def test_the_hash_changes_with_values_nulls_names_types_and_order() -> None:
    def made(name: str = "a", values: tuple[float | None, ...] = (1.0, 0.0)) -> pa.Table:
        return pa.table({name: pa.array(values, pa.float32())})

    base = hash_values(made())
    assert base == hash_values(pa.concat_tables([made().slice(0, 1), made().slice(1)]))
    others = [
        made(values=(0.0, 1.0)),
        made(values=(1.0, None)),
        made(name="b"),
        made().cast(pa.schema({"a": pa.float64()})),
    ]
    assert base not in {hash_values(table) for table in others}
