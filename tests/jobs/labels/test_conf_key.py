"""A labeler is fitted again where any key of conf changed that can make it another one."""

from typing import Any

import pytest

from conf.load import SIMULATED, flatten_tree, load_conf
from jobs.finetune_labeler import JOB
from jobs.labels.labelers import MAY_DIFFER, conf_key


def key(*settings: str) -> str:
    return conf_key(load_conf([SIMULATED], settings).tree, JOB.sections)


@pytest.mark.parametrize(
    "setting",
    [
        "seed=18",
        "split.train=[0, 1, 2]",
        "encoder.max_tokens=17",
        "labels.soft=true",
        "labeler.kind=lexical",
        "labeler.ensemble.shares=[0.5, 0.5]",
        "labeler.cross_encoder.epochs=9",
        "labeler.lexical.rounds=9",
        "labeling.gold_share=0.4",
        "labeling.mix.correct=false",
        "training_set.audited=true",
        "training_set.source_weights.assumed=0.2",
    ],
)
def test_what_a_fit_reads_makes_another_key(setting: str) -> None:
    assert key(setting) != key()


@pytest.mark.parametrize(
    "setting",
    [
        "labeler.causal_lm.max_tokens=99",
        "labeling.gate.min_qwk=0.9",
        "labeling.partitions=3",
        "training_set.source_weights.human=2",
        "training_set.negatives.shown=0.3",
        "value.tuned=false",
    ],
)
def test_what_no_fit_reads_leaves_the_key(setting: str) -> None:
    assert key(setting) == key()


def test_of_an_ensemble_its_members_count_and_no_other_kind() -> None:
    alone = "labeler.kind=lexical"
    assert key(alone, "labeler.cross_encoder.epochs=9") == key(alone)
    assert key(alone, "labeler.lexical.rounds=9") != key(alone)


def test_each_exception_is_a_key_of_the_sections() -> None:
    tree: dict[str, Any] = load_conf([SIMULATED]).tree.model_dump(
        mode="json", include={*JOB.sections}
    )
    leaves = flatten_tree(tree)
    assert [k for k in MAY_DIFFER if not any(f"{x}.".startswith(f"{k}.") for x in leaves)] == []
