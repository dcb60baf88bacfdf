"""The examination curve that every ranker of a run is judged by."""

import numpy as np
from pyspark.sql import DataFrame

from conf.sections.value import EvaluationConf
from features.evaluation.examination import PAIRS, pair_places, position_pairs
from model.evaluation.examination import estimate_examination


def find_examination(rows: DataFrame, conf: EvaluationConf) -> list[float]:
    """Give the relative examination by position: conf's, else estimated from the pages of the rows.

    Args:
        rows: rows of EXAMPLE_SCORES of validation queries; no model's prediction is used.
    """
    if conf.examination is not None:
        return [max(value, conf.min_examination) for value in conf.examination]
    pairs = rows.transform(position_pairs(conf.max_position))
    share = min(1.0, PAIRS / max(pairs.count(), 1))
    places = pairs.transform(pair_places(share)).toPandas().sort_values(["pair", "position"])
    curve = estimate_examination(
        places["position"].to_numpy(np.int64),
        places["clicks"].to_numpy(np.float64),
        places["pair"].to_numpy(np.int64),
        conf.max_position,
        conf.min_examination,
        places["views"].to_numpy(np.float64),
    )
    return [float(value) for value in curve]
