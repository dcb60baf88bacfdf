"""Files of experiments: the quick profile, --set, and errors that name the mend."""

from pathlib import Path

import pytest
import yaml

from conf.experiment import load_experiment
from conf.load import ConfError

FOLDER = Path(__file__).parents[2] / "conf" / "experiments"
CONTENT = {
    "name": "e",
    "asks": "?",
    "paper": "-",
    "data": {"d": {"simulated": True}},
    "reference": "a",
    "arms": {"a": {}, "b": {"settings": {"model.backbone": "mmoe"}}},
    "search": {"choose": ["auc.click"]},
    "headline": ["auc.click"],
    "base": {"trainer.epochs": 9},
    "quick": {"seeds": [1], "base": {"trainer.epochs": 2}},
}


def written(folder: Path, **changes: object) -> Path:
    path = folder / "e.yaml"
    path.write_text(yaml.safe_dump(CONTENT | changes))
    return path


def test_quick_changes_what_it_names_and_the_name(tmp_path: Path) -> None:
    full = load_experiment(written(tmp_path), False, [])
    quick = load_experiment(written(tmp_path), True, [])
    assert (full.conf.name, full.conf.seeds) == ("e", (1, 2, 3, 4, 5))
    assert (quick.conf.name, quick.conf.seeds) == ("e-quick", (1,))
    arm = quick.conf.arms["b"]
    tree = quick.arm_conf(quick.conf.data["d"], arm, {"seed": 4}).tree
    assert (tree.trainer.epochs, tree.model.backbone, tree.seed) == (2, "mmoe", 4)


def test_settings_change_the_experiment_or_every_arm(tmp_path: Path) -> None:
    settings = ["experiment.seeds=[3]", "trainer.epochs=1"]
    found = load_experiment(written(tmp_path), False, settings)
    assert found.conf.seeds == (3,)
    assert found.arm_conf(found.conf.data["d"], found.conf.arms["a"], {}).tree.trainer.epochs == 1


def test_a_variable_is_a_name_in_the_experiment_and_a_value_in_its_arms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPOCHS", "4")
    monkeypatch.setenv("SNAPSHOTS", "/data")
    data = {"d": {"simulated": True, "folder": "${SNAPSHOTS}/d"}}
    path = written(tmp_path, data=data, base={"trainer.epochs": "${EPOCHS}"})
    found = load_experiment(path, False, [])
    assert found.conf.base == {"trainer.epochs": "${EPOCHS}"}
    assert found.given_snapshot(found.conf.data["d"]) == Path("/data/d")
    conf = found.arm_conf(found.conf.data["d"], found.conf.arms["a"], {})
    assert conf.tree.trainer.epochs == 4 and conf.shown["trainer"]["epochs"] == "${EPOCHS}"


def test_a_draw_is_a_data_set_of_its_own(tmp_path: Path) -> None:
    market = {"source.kind": "simulated"}
    drawn = {"simulated": True, "draws": [23, 29], "seeds": [1], "set": market}
    data = {"d": {"simulated": False}, "market": drawn}
    found = load_experiment(written(tmp_path, data=data), False, [])
    assert list(found.conf.used) == ["d", "market@23", "market@29"]
    assert found.conf.pooled == {"market": ["market@23", "market@29"]}
    one = found.conf.used["market@29"]
    assert (one.draws, one.seeds, found.data_conf(one).tree.seed) == ((), (1,), 29)
    assert found.arm_conf(one, found.conf.arms["a"], {"seed": 4}).tree.seed == 4
    only = load_experiment(written(tmp_path, data=data, use=["d"]), False, [])
    assert (list(only.conf.used), only.conf.pooled) == (["d"], {})


def test_an_arm_is_compared_with_the_reference_or_one_of_its_own(tmp_path: Path) -> None:
    arms = {"a": {"against": "a"}, "b": {}, "c": {"against": "b"}}
    found = load_experiment(written(tmp_path, arms=arms), False, [])
    assert found.conf.references == {"b": "a", "c": "b"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seedz": [1]}, "unknown key; the nearest valid one is seeds"),
        ({"reference": "c"}, "none of the arms"),
        ({"seeds": [1, 1]}, "one twice"),
        ({"use": ["x"]}, "use names"),
        ({"arms": {"a": {}, "b": {"against": "c"}}}, "reference 'c' is none of the arms"),
        ({"arms": {"a": {"oracle": "truth"}}}, "must be a network"),
        ({"arms": {"a": {}, "b": {"oracle": "truth", "baseline": "bm25"}}}, "not both"),
        ({"arms": {"a": {}, "b": {"baseline": "best"}}}, "lightgbm"),
        (
            {"arms": {"a": {}, "b": {"oracle": "blind", "ranking": {"relevance": "picked"}}}},
            "knows engagement only",
        ),
        ({"data": {"d": {"simulated": True, "draws": [3, 3]}}}, "one twice"),
        ({"data": {"d": {"simulated": True, "draws": [3], "folder": "x"}}}, "leave `folder` out"),
        ({"search": {"choose": ["auc.click"], "grid": {"model.dropout": []}}}, "no values to try"),
    ],
)
def test_a_wrong_file_is_explained(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfError, match=message):
        load_experiment(written(tmp_path, **changes), False, [])


def test_an_unknown_part_of_an_arm_is_the_usual_error(tmp_path: Path) -> None:
    arms = {"a": {}, "b": {"settings": {"model.backbone": "transformer"}}}
    found = load_experiment(written(tmp_path, arms=arms), False, [])
    with pytest.raises(ConfError, match=r"model\.backbone .*'transformer'"):
        found.arm_conf(found.conf.data["d"], found.conf.arms["b"], {})


def test_a_quick_profile_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, quick=None)
    with pytest.raises(ConfError, match="no quick profile"):
        load_experiment(path, True, [])


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_resolves_all_its_arms(path: Path, quick: bool) -> None:
    found = load_experiment(path, quick, [])
    assert found.conf.name.removesuffix("-quick") == path.stem
    assert quick or len(found.conf.seeds) >= 5
    draws = {name.partition("@")[0]: data for name, data in found.conf.used.items()}
    for data in draws.values():  # draws of one data set differ in the seed only
        found.data_conf(data)
        for arm in found.conf.arms.values():
            found.arm_conf(data, arm, {"seed": 1})
