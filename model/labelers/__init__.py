"""Relevance labelers: query and item text in, P(grade >= 1) and P(grade >= 2) out."""

from model.labelers.base import FitReport, Labeler, LabelerError, Pairs, Probabilities, Targets

__all__ = ["FitReport", "Labeler", "LabelerError", "Pairs", "Probabilities", "Targets"]
