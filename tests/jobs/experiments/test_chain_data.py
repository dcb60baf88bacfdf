"""Which steps an experiment's chain runs, and what names its folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conf.load import ResolvedConf
from features.contracts import LABEL_AUDIT, LABELER_DECISIONS
from jobs.experiments.chain_data import STEPS, set_root
from jobs.registry import CHAIN, load_job

MakeConf = Callable[..., ResolvedConf]
WITHOUT_A_LABELER = (LABELER_DECISIONS, LABEL_AUDIT)


@pytest.mark.parametrize("step", STEPS)
def test_every_table_that_a_step_reads_is_made_by_a_step_before(step: str) -> None:
    before = STEPS[: STEPS.index(step)]
    made = {table.name for name in before for table in load_job(name).writes}
    nightly = {table.name for name in CHAIN for table in load_job(name).writes}
    reads = {t.name for t in load_job(step).reads if t not in WITHOUT_A_LABELER}
    assert reads & nightly <= made


def test_the_folder_follows_the_own_features_and_their_files(
    make_conf: MakeConf, tmp_path: Path
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("item_id,day,margin\n")
    own = (
        f"features.own.shop={{format: csv, path: '{file}', key: [item_id], as_of: day, "
        "features: {margin: {}}}"
    )

    def folder(*settings: str) -> str:
        return set_root(make_conf(*settings)).tree.storage.root

    before = folder(own)
    assert before == folder(own) != folder()
    file.write_text("item_id,day,margin\na,2026-02-01,1\n")
    assert folder(own) != before
