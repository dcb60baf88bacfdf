"""Engine over Petastorm's batch reader: the default one."""

import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from petastorm import make_batch_reader

from model.feed.engines import Floats

_READ_AHEAD = 4
"""Row groups read ahead of the training step (count)."""

# Petastorm 0.12.1 reads through pyarrow's old dataset classes: 17 warnings per reader.
warnings.filterwarnings("ignore", category=FutureWarning, module="petastorm")


def read_files(paths: Sequence[Path], columns: Sequence[str], seed: int | None) -> Iterator[Floats]:
    """Yield [columns, rows] a file, in the order of `model.feed.engines.order_files(paths, seed)`.

    One reader an epoch over the files themselves (one row group each). A single reading thread
    keeps the order reproducible and reads ahead of the training step. Columns are taken by name:
    their order in the reader is that of a set.
    """
    if not paths:
        return
    with make_batch_reader(
        [f"file://{path}" for path in paths],  # Petastorm does not decode what `as_uri` encodes
        schema_fields=[f"^{re.escape(name)}$" for name in columns],
        reader_pool_type="thread",
        workers_count=1,
        results_queue_size=_READ_AHEAD,
        shuffle_row_groups=seed is not None,
        seed=seed,
        num_epochs=1,
    ) as reader:
        for group in reader:
            yield np.stack([getattr(group, name) for name in columns])
