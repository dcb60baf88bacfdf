"""Each member of a family stands in one register, and conf offers exactly those."""

from importlib.util import find_spec
from typing import get_args

import pytest
from pydantic import BaseModel

from conf.sections.labelers import LabelerConf
from conf.sections.model import ModelConf
from conf.sections.source import SourceConf
from conf.sections.training import FeedConf, TrainerConf
from jobs.sources.base import SourceError, load_adapter
from model.backbones import BACKBONES
from model.heads import POSITION_BIASES, RELEVANCE_HEADS
from model.heads.links import LINKS
from model.labelers.store import MODULES
from model.losses.balance import BALANCES
from model.regions import PARTS

OF_THE_EXPERIMENTS = {"trivago"}
"""Sources without an adapter: `ingest` refuses them."""


def choices(section: type[BaseModel], key: str) -> set[str]:
    return set(get_args(section.model_fields[key].annotation))


@pytest.mark.parametrize(
    ("members", "section", "key"),
    [
        (BACKBONES, ModelConf, "backbone"),
        (LINKS.keys() | {"auto"}, ModelConf, "link"),
        (RELEVANCE_HEADS, ModelConf, "relevance_head"),
        (POSITION_BIASES, ModelConf, "position_bias"),
        (PARTS, ModelConf, "region_mask"),
        (BALANCES, TrainerConf, "balance"),
        (MODULES, LabelerConf, "kind"),
    ],
)
def test_conf_offers_the_members(
    members: dict[str, object], section: type[BaseModel], key: str
) -> None:
    assert set(members) == choices(section, key)


def test_conf_offers_the_engines_that_are_modules() -> None:
    engines = choices(FeedConf, "engine")
    assert [name for name in engines if find_spec(f"model.feed.{name}") is None] == []


def test_each_source_has_an_adapter_or_is_of_the_experiments() -> None:
    sections = get_args(get_args(SourceConf)[0])
    kinds = {kind for section in sections for kind in choices(section, "kind")}
    for kind in kinds - OF_THE_EXPERIMENTS:
        adapter = load_adapter(kind)
        assert callable(adapter.read) and callable(adapter.fingerprint)
    for kind in OF_THE_EXPERIMENTS:
        with pytest.raises(SourceError, match="`counterpoise experiment` reads it"):
            load_adapter(kind)
