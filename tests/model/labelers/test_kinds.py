"""The kinds of labelers that the code names are those that conf may choose."""

from typing import get_args

from conf.sections.labelers import LabelerKind
from conf.sections.labelers.ensemble import MemberKind
from model.labelers import kinds


def test_the_code_names_the_kinds_of_conf() -> None:
    named = {value for name, value in vars(kinds).items() if name.isupper()}
    assert named == set(get_args(LabelerKind))
    assert set(get_args(MemberKind)) == named - {kinds.ENSEMBLE}
