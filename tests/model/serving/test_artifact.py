"""The model directory: what is saved is what predicts, and what is refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from conf.sections.model import ModelConf
from model.feed import Snapshot
from model.files import short_hash
from model.ranker import build_ranker
from model.serving.artifact import Artifact, ModelError, load_model, save_model
from model.serving.calibration import Platt
from model.serving.calibrators import Calibrators, build_identities
from model.standardise import Standardisation

SMALL = ModelConf(hidden=(16, 8), tower=(4,))


@pytest.fixture
def artifact(snapshot: Snapshot, scale: Standardisation) -> Artifact:
    torch.manual_seed(3)
    ranker = build_ranker(snapshot.spec, scale, SMALL)
    spec = snapshot.spec
    common = dict(build_identities(spec.outputs, spec.regions).common)
    calibrators = Calibrators(
        common | {"p_click": Platt(0.5, -1.0)},
        {"p_click": {"south": Platt(2.0, 0.0)}},
        spec.regions,
    )
    return Artifact(ranker, scale, SMALL, calibrators, {"conf.yaml": "a: 1\n"}, {"conf_hash": "c"})


@pytest.fixture
def features(snapshot: Snapshot) -> np.ndarray:
    """[6, F]: three rows of region 1, one of region 2, two of an unknown region."""
    rng = np.random.default_rng(0)
    spec = snapshot.spec
    values = rng.normal(3, 2, (6, len(spec.features))).astype(np.float32)
    values[:, spec.names.index("item_type")] = [0, 1, 2, 3, 4, 7]
    values[:, spec.names.index("region_index")] = [1, 1, 1, 2, 0, 0]
    return values


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_what_was_saved_predicts(artifact: Artifact, features: np.ndarray, tmp_path: Path) -> None:
    version = save_model(artifact, tmp_path / "model")
    loaded = load_model(tmp_path / "model", features=artifact.ranker.spec.names)
    assert loaded.version == version
    out = loaded.predict(features)
    with torch.no_grad():
        raw = {k: v.numpy() for k, v in artifact.ranker.predict(torch.from_numpy(features)).items()}
    np.testing.assert_allclose(out["p_cart"], raw["p_cart"], rtol=1e-6)
    np.testing.assert_allclose(out["relevance"], raw["p_ge_1"] + raw["p_ge_2"], rtol=1e-6)
    logit = np.log(raw["p_click"]) - np.log1p(-raw["p_click"])
    common, south = sigmoid(0.5 * logit - 1.0), sigmoid(2.0 * logit)
    np.testing.assert_allclose(out["p_click"], np.r_[common[:3], south[3], common[4:]], rtol=1e-5)
    assert all(p.dtype == np.float32 for p in out.values())


def test_candidates_of_queries(artifact: Artifact, features: np.ndarray, tmp_path: Path) -> None:
    save_model(artifact, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    spec = loaded.spec
    queries = features[[0, 3, 4]][:, spec.query_positions]
    whole = features.copy()
    whole[:, spec.query_positions] = np.repeat(queries, [2, 0, 4], axis=0)
    split = loaded.predict_candidates(
        queries, features[:, spec.candidate_positions], np.array([2, 0, 4])
    )
    for name, p in loaded.predict(whole).items():
        np.testing.assert_allclose(split[name], p, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match="add up to 5"):
        loaded.predict_candidates(
            queries, features[:, spec.candidate_positions], np.array([2, 0, 3])
        )


def test_no_candidates(artifact: Artifact, tmp_path: Path) -> None:
    save_model(artifact, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    out = loaded.predict(np.zeros((0, len(loaded.spec.features)), np.float32))
    assert out["relevance"].shape == (0,)


def test_the_version_is_a_hash_of_what_decides(artifact: Artifact, tmp_path: Path) -> None:
    first = save_model(artifact, tmp_path / "a")
    assert save_model(artifact, tmp_path / "a") == first  # replaces the directory
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]
    with torch.no_grad():
        next(artifact.ranker.parameters()).add_(1e-3)
    assert save_model(artifact, tmp_path / "b") != first


def damaged(folder: Path, name: str, change: str) -> None:
    path = folder / name
    if change == "gone":
        path.unlink()
    elif change == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif change == "bytes":
        path.write_bytes(path.read_bytes() + b" ")
    else:
        content = json.loads(path.read_text())
        content["format_version"] = 99
        path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("manifest.json", "gone", "manifest.json is missing; run train"),
        ("manifest.json", "half", r"manifest\.json is damaged .* trains it again"),
        ("manifest.json", "version", "format version 99"),
        ("model.safetensors", "gone", "model.safetensors is missing"),
        ("model.safetensors", "bytes", "model.safetensors differs from its sha256"),
        ("calibrators.json", "bytes", "calibrators.json differs"),
        ("conf.yaml", "bytes", "conf.yaml differs"),
    ],
)
def test_a_damaged_directory_is_refused(
    artifact: Artifact, tmp_path: Path, name: str, change: str, reason: str
) -> None:
    save_model(artifact, tmp_path / "model")
    damaged(tmp_path / "model", name, change)
    with pytest.raises(ModelError, match=reason):
        load_model(tmp_path / "model")


def test_an_edit_together_with_its_checksum_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    """The version is made of the checksums: an editor would have to give the model another one."""
    save_model(artifact, tmp_path / "model")
    path = tmp_path / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"model_version": "deadbeefdeadbeef"}))
    with pytest.raises(ModelError, match=r"manifest\.json was edited: .* version deadbeefdeadbeef"):
        load_model(tmp_path / "model")
    calibrators = tmp_path / "model" / "calibrators.json"
    calibrators.write_bytes(calibrators.read_bytes() + b" ")
    manifest["files"]["calibrators.json"] = hashlib.sha256(calibrators.read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="was edited: its files are not those of version"):
        load_model(tmp_path / "model")


def test_other_features_are_refused(artifact: Artifact, tmp_path: Path) -> None:
    save_model(artifact, tmp_path / "model")
    names = artifact.ranker.spec.names
    with pytest.raises(ModelError, match=r"missing \['item_0'\], not declared \['new'\]"):
        load_model(tmp_path / "model", features=[n if n != "item_0" else "new" for n in names])
    with pytest.raises(ModelError, match="another order"):
        load_model(tmp_path / "model", features=names[::-1])


def test_weights_of_another_shape_are_refused(artifact: Artifact, tmp_path: Path) -> None:
    """Checksums and version agree: what was written does not fit together."""
    save_model(artifact, tmp_path / "model")
    path, listed = tmp_path / "model" / "spec.json", tmp_path / "model" / "manifest.json"
    content, manifest = json.loads(path.read_text()), json.loads(listed.read_text())
    content["architecture"]["hidden"] = [16, 9]
    path.write_text(json.dumps(content))
    files = manifest["files"] | {"spec.json": hashlib.sha256(path.read_bytes()).hexdigest()}
    parts = (files[name] for name in ("model.safetensors", "spec.json", "calibrators.json"))
    version = short_hash("|".join(parts))
    listed.write_text(json.dumps(manifest | {"files": files, "model_version": version}))
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "model")


def test_values_that_cannot_be_scored(
    artifact: Artifact, features: np.ndarray, tmp_path: Path
) -> None:
    save_model(artifact, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    with pytest.raises(ValueError, match=r"expected \[N, 11\]"):
        loaded.predict(features[:, 1:])
    column = loaded.spec.names.index("item_type")
    for value, reason in ((8.0, "ids run from"), (1.5, "whole numbers"), (np.nan, "not finite")):
        wrong = features.copy()
        wrong[2, column] = value
        with pytest.raises(ValueError, match=f"item_type.*{reason}"):
            loaded.predict(wrong)
