"""A loaded ranker: calibrated probabilities from arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model.ranker import Ranker
from model.serving.calibrators import Arrays, Calibrators
from model.serving.network import ServingNetwork
from model.spec import THRESHOLDS, InputSpec
from model.standardise import explain_bad_ids

Floats = npt.NDArray[np.float32]


class LoadedRanker:
    """Predicts on the CPU, with as many threads as the process gives torch (workers: one).

    Attributes:
        spec: features, tasks and regions.
        version: model version, a hash of what decides the predictions.
    """

    def __init__(self, ranker: Ranker, calibrators: Calibrators, version: str) -> None:
        self.spec: InputSpec = ranker.spec
        self.version = version
        self._network = ServingNetwork(ranker)
        self._calibrators = calibrators

    def predict(self, features: Floats, regions: npt.NDArray[Any] | None = None) -> Arrays:
        """Predict the calibrated probabilities of pairs shown at position 1.

        Args:
            features: [N, F], columns in the order of the spec; converted to float32.
            regions: [N] region ids for calibration; by default the feature region_index.

        Returns:
            p_<task> of each engagement task, p_ge_1, p_ge_2 and relevance (their sum), [N] each,
            float32; the last three only where the model was trained with relevance.

        Raises:
            ValueError: wrong number of columns, a value that is not finite, or an id outside
                its category.
        """
        values = np.ascontiguousarray(features, np.float32)
        self._check_values(values, list(range(len(self.spec.features))))
        raw = self._network.predict_pairs(torch.from_numpy(values))
        return self._calibrate(raw, self._read_regions(values) if regions is None else regions)

    def predict_candidates(
        self, query_values: Floats, candidate_values: Floats, counts: npt.NDArray[Any]
    ) -> Arrays:
        """Predict the candidates of queries, with the query's features given once.

        Args:
            query_values: [Q, Fq] query features in the order of the spec.
            candidate_values: [N, Fc] item and query-item features in the order of the spec, the
                candidates of a query one after the other.
            counts: [Q] candidates of each query; they add up to N.

        Returns and raises: as `predict`, with N candidates.
        """
        queries = np.ascontiguousarray(query_values, np.float32)
        candidates = np.ascontiguousarray(candidate_values, np.float32)
        repeats = np.asarray(counts, np.int64)
        self._check_values(queries, self.spec.query_positions)
        self._check_values(candidates, self.spec.candidate_positions)
        if len(repeats) != len(queries) or int(repeats.sum()) != len(candidates):
            raise ValueError(
                f"counts of {len(repeats)} queries add up to {int(repeats.sum())}, given are "
                f"{len(queries)} queries and {len(candidates)} candidates"
            )
        raw = self._network.predict_candidates(
            torch.from_numpy(queries), torch.from_numpy(candidates), torch.from_numpy(repeats)
        )
        return self._calibrate(raw, np.repeat(self._read_query_regions(queries), repeats))

    def _calibrate(self, raw: torch.Tensor, regions: npt.NDArray[Any]) -> Arrays:
        columns = np.ascontiguousarray(raw.numpy().T)
        named = dict(zip(self.spec.outputs, columns, strict=True))
        out = self._calibrators.apply(named, regions)
        if not self.spec.relevance:
            return out
        ge_1, ge_2 = (out[f"p_{grade}"] for grade in THRESHOLDS)
        return out | {"relevance": ge_1 + ge_2}

    def _read_regions(self, values: Floats) -> npt.NDArray[Any]:
        position = self.spec.region_position
        return np.zeros(len(values)) if position is None else values[:, position]

    def _read_query_regions(self, values: Floats) -> npt.NDArray[Any]:
        position = self.spec.region_position
        if position is None:
            return np.zeros(len(values))
        return values[:, self.spec.query_positions.index(position)]

    def _check_values(self, values: Floats, positions: list[int]) -> None:
        features = [self.spec.features[i] for i in positions]
        if values.ndim != 2 or values.shape[1] != len(features):
            raise ValueError(f"expected [N, {len(features)}] values, given {values.shape}")
        if not np.isfinite(values).all():
            columns = ~np.isfinite(values).all(axis=0)
            names = [f.name for f, bad in zip(features, columns, strict=True) if bad]
            raise ValueError(f"features {names} hold values that are not finite")
        for i, feature in enumerate(features):
            reason = (
                explain_bad_ids(values[:, i], feature.buckets) if feature.kind == "category" else ""
            )
            if reason:
                raise ValueError(f"category {feature.name}: {reason}")
