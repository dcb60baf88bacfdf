"""Values of the environment are used, and never kept or shown."""

from pathlib import Path

import pytest

from conf.errors import ConfError
from conf.load import SIMULATED, load_conf
from conf.text import conf_text

SECRET = "hunter2-and-more"
LAYER = """
tracking: {uri: 'https://me:${MLFLOW_PASSWORD}@mlflow'}
spark: {options: {spark.hadoop.fs.s3a.secret.key: '${S3_KEY}'}}
seed: ${SEED}
source: {kind: esci, path: '${DATA:-/fallback}/esci'}
"""


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_PASSWORD", SECRET)
    monkeypatch.setenv("S3_KEY", SECRET)
    monkeypatch.setenv("SEED", "71")
    monkeypatch.delenv("DATA", raising=False)
    path = tmp_path / "secret.yaml"
    path.write_text(LAYER)
    return path


def test_the_run_has_the_value_and_its_text_the_name(layer: Path) -> None:
    conf = load_conf([SIMULATED, layer])
    assert conf.tree.tracking.uri == f"https://me:{SECRET}@mlflow"
    assert conf.tree.spark.options == {"spark.hadoop.fs.s3a.secret.key": SECRET}
    assert conf.tree.seed == 71
    text = conf_text(conf)
    assert SECRET not in text and "${MLFLOW_PASSWORD}" in text and "seed: ${SEED}" in text
    assert "path: /fallback/esci" in text, "a default stood in the conf itself"


def test_the_kept_text_reads_back_to_the_same_conf(
    layer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = load_conf([SIMULATED, layer])
    kept = layer.with_name("kept.yaml")
    kept.write_text(conf_text(conf))
    assert load_conf([kept]).hash == conf.hash
    monkeypatch.setenv("S3_KEY", "another")
    assert load_conf([kept]).hash != conf.hash, "another value is another conf"


def test_errors_show_names_not_values(layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", SECRET)
    with pytest.raises(ConfError, match=r"seed \(from secret\.yaml\)") as raised:
        load_conf([SIMULATED, layer])
    assert SECRET not in str(raised.value) and "${SEED}" in str(raised.value)
    monkeypatch.delenv("SEED")
    with pytest.raises(ConfError, match=r"seed \(from secret\.yaml\): \$\{SEED\} is used, and"):
        load_conf([SIMULATED, layer])
