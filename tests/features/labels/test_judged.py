"""The source of a label says what kind of labeler graded it."""

from typing import get_args

from conf.sections.labelers import LabelerKind
from features.labels.judged import source_of


def test_every_kind_of_labeler_has_its_source() -> None:
    assert {kind: source_of(kind) for kind in get_args(LabelerKind)} == {
        "ensemble": "model",
        "cross_encoder": "model",
        "lexical": "model",
        "causal_lm": "llm",
        "openai_compatible": "llm",
    }
