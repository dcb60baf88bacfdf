"""Which rows a region part leaves as they are, counted."""

from typing import Any

import numpy as np
import numpy.typing as npt

from model.spec import InputSpec
from model.standardise import Standardisation


def region_coverage(
    spec: InputSpec, scale: Standardisation, region: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Regions that training has not seen, and the rows that are neutral to a region part.

    Args:
        region: [N] region ids of the validation rows, 0 unknown.

    Returns:
        unseen: declared regions without a training row; train_rows, validation_rows: rows of them
        or of the unknown region (count).
    """
    unseen = scale.unseen(spec.regions)
    ids = [0, *(spec.regions.index(name) + 1 for name in unseen)]
    return {
        "unseen": list(unseen),
        "train_rows": int(scale.region_rows[0]) if scale.region_rows else 0,
        "validation_rows": int(np.isin(region, ids).sum()),
    }
