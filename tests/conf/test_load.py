"""Layers, origins, unknown keys and the hash of the configuration."""

from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.explain import origin_of
from conf.load import SIMULATED, ConfError, flatten_tree, load_conf
from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from conf.sections.source import SimulatedSource
from conf.text import conf_text

CONF = Path(__file__).parents[2] / "conf"
CONF_FILES = sorted(CONF.glob("*.yaml"))
WORLDS = sorted((CONF / "worlds").rglob("*.yaml"))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_later_layers_win_and_are_remembered(tmp_path: Path) -> None:
    first = write(tmp_path, "first.yaml", "seed: 3\nfeatures: {bm25_b: 0.5}\n")
    second = write(tmp_path, "second.yaml", "features: {bm25_b: 0.25}\n")

    conf = load_conf([first, second], ["feed.batch_size=7"], run_date="2026-02-03")

    assert (conf.tree.seed, conf.tree.features.bm25_b, conf.tree.feed.batch_size) == (3, 0.25, 7)
    assert conf.run_date.isoformat() == "2026-02-03"
    origins = {
        key: origin_of(key, conf.origins)
        for key in ("seed", "features.bm25_b", "features.bm25_k1", "feed.batch_size", "run_date")
    }
    assert origins == {
        "seed": "first.yaml",
        "features.bm25_b": "second.yaml",
        "features.bm25_k1": "schema default",
        "feed.batch_size": "--set feed.batch_size",
        "run_date": "--run-date",
    }


@pytest.mark.parametrize(
    ("setting", "near"),
    [
        ("features.prior_impresions=3", "features.prior_impressions"),
        ("sede=3", "seed"),
        ("source.itms=3", "source.items"),
        ("value.by_region.us.clik=1", "value.by_region.us.click"),
    ],
)
def test_unknown_key_names_the_nearest_valid_one(setting: str, near: str) -> None:
    with pytest.raises(ConfError, match=rf"unknown key; the nearest valid one is {near}$"):
        load_conf([SIMULATED], [setting])


def test_there_is_no_source_by_default() -> None:
    assert load_conf().tree.source is None and load_conf().tree.run_date is None
    with pytest.raises(ConfError, match="conf names no source: give --conf FILE"):
        _ = load_conf().source
    with pytest.raises(ConfError, match=r"source .*: its `kind` is missing: one of simulated, "):
        load_conf(settings=["source.items=30"])


def test_wrong_value_names_key_and_origin() -> None:
    with pytest.raises(ConfError, match=r"feed\.batch_size \(from --set feed\.batch_size\)"):
        load_conf(settings=["feed.batch_size=0"])


def test_bucket_in_two_splits_is_an_error() -> None:
    with pytest.raises(ConfError, match=r"buckets \[8\] stand in more than one"):
        load_conf(settings=["split.train=[1,8]"])


def test_another_kind_of_source_replaces_the_section(tmp_path: Path) -> None:
    layer = write(tmp_path, "wands.yaml", "source: {kind: wands, path: /data}\n")
    assert load_conf([layer]).tree.source.model_dump()["path"] == "/data"


def test_missing_or_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match=r"nowhere\.yaml does not exist"):
        load_conf([tmp_path / "nowhere.yaml"])
    with pytest.raises(ConfError, match=r"list\.yaml must hold a mapping, not a list"):
        load_conf([write(tmp_path, "list.yaml", "- 1\n")])
    with pytest.raises(ConfError, match=r"tag\.yaml is not valid YAML"):
        load_conf([write(tmp_path, "tag.yaml", "seed: !!python/object/apply:os.getcwd []\n")])


def test_environment_variables_are_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = write(
        tmp_path, "env.yaml", "source: {kind: wands, path: '${MARKET_DATA:-/fallback}'}\n"
    )
    monkeypatch.delenv("MARKET_DATA", raising=False)
    assert load_conf([layer]).tree.source.model_dump()["path"] == "/fallback"
    monkeypatch.setenv("MARKET_DATA", "/mounted")
    assert load_conf([layer]).tree.source.model_dump()["path"] == "/mounted"


def test_run_date_is_never_now(tmp_path: Path) -> None:
    layer = write(tmp_path, "none.yaml", "run_date: null\n")
    with pytest.raises(ConfError, match="no run date: pass --run-date"):
        _ = load_conf([layer]).run_date


def test_saved_conf_reads_back_to_the_same_hash(tmp_path: Path) -> None:
    conf = load_conf(settings=["seed=5", "value.by_region={us: {relevance: 2.0}}"])
    again = load_conf([write(tmp_path, "saved.yaml", conf_text(conf))])
    assert again.hash == conf.hash


@given(st.integers(min_value=1, max_value=10**6), st.integers(min_value=1, max_value=10**6))
def test_hash_changes_with_any_value(a: int, b: int) -> None:
    same = load_conf(settings=[f"seed={a}"]).hash == load_conf(settings=[f"seed={b}"]).hash
    assert same == (a == b)


@pytest.mark.parametrize("path", CONF_FILES, ids=lambda path: path.name)
def test_shipped_files_are_valid(path: Path) -> None:
    assert load_conf([path]).tree.name


BOUND = ("esci", "homedepot", "simulated", "wands")


@pytest.mark.parametrize("name", BOUND)
def test_a_night_labels_a_number_of_pairs_that_no_clock_decides(name: str) -> None:
    """So that it comes out the same on every machine."""
    labeling = load_conf([CONF / f"{name}.yaml"]).tree.labeling
    assert labeling.budget_pairs is not None and labeling.budget_minutes is None


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ((CONF / "tables.yaml").read_text(encoding="utf-8"), "# "),
        ((CONF.parent / "docs" / "own_features.md").read_text(encoding="utf-8"), ""),
    ],
    ids=["conf", "docs"],
)
def test_the_examples_of_own_features_can_be_used(tmp_path: Path, text: str, prefix: str) -> None:
    lines = iter(text.splitlines())
    shown = [next(line for line in lines if line == f"{prefix}features:")]
    shown += takewhile(lambda line: line.startswith(f"{prefix} "), lines)
    example = write(tmp_path, "own.yaml", "\n".join(line.removeprefix(prefix) for line in shown))
    own = load_conf([CONF / "tables.yaml", example]).tree.features.own["stock"]
    assert own.key == ("item_id", "region")
    assert {"stock_days", "tier"} <= set(own.features)


@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.stem)
def test_worlds_are_valid_and_keep_to_their_own(path: Path) -> None:
    tree = load_conf([path]).tree
    assert isinstance(tree.source, SimulatedSource)
    assert tree.name == path.stem and tree.storage.root == f"warehouse/worlds/{path.stem}"
    assert tree.source.days >= tree.features.training_days + LOOK_BACK_DAYS


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (
            ["ingest.history_days=7"],
            ("ingest.history_days = 7", "training_set.attribution_days = 7", "to 8 or more"),
        ),
        (
            ["ingest.history_days=55"],
            ("ingest.history_days = 55", "features.training_days = 28", "to 56 or more"),
        ),
        (
            ["ingest.history_days=40", "features.training_days=13"],
            ("ingest.history_days = 40", "features.training_days = 13", "to 41 or more"),
        ),
        (
            ["ingest.history_days=60", "training_set.attribution_days=60"],
            ("ingest.history_days = 60", "training_set.attribution_days = 60", "to 61 or more"),
        ),
    ],
)
def test_a_history_too_short_names_both_keys(settings: list[str], keys: tuple[str, ...]) -> None:
    with pytest.raises(ConfError) as raised:
        load_conf(settings=settings)
    message = str(raised.value)
    assert message.startswith("ingest.history_days") and len(message) < 400
    assert all(key in message for key in keys)


@pytest.mark.parametrize("days", ["56", "null"])
def test_a_history_that_is_long_enough(days: str) -> None:
    assert load_conf(settings=[f"ingest.history_days={days}"]).tree.features.training_days == 28


def test_worlds_are_different_markets() -> None:
    assert len(WORLDS) >= 12 and len([p for p in WORLDS if p.parent.name == "held_out"]) == 3
    trees = [load_conf([path]).tree for path in WORLDS]
    assert len({tree.seed for tree in trees}) == len(WORLDS)


def test_every_field_is_described() -> None:
    schema = Conf.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    bare = [
        f"{section['title']}.{name}"
        for section in sections
        for name, info in section.get("properties", {}).items()
        if "description" not in info and name != "kind"
    ]
    assert bare == []


def test_flatten_keeps_every_leaf() -> None:
    flat = flatten_tree(load_conf().shown)
    assert flat["split.buckets"] == 10
    assert flat["spark.options"] == {}
