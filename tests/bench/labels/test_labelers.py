"""Labelers side by side on a few planted pairs in the form of Home Depot's file."""

import csv
import gzip
from pathlib import Path

import pytest

from bench.labels import labeler_runs
from bench.labels.homedepot_pairs import FILE
from bench.labels.labelers import measure

SAMPLE = 40


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 queries of two words, each with an item that has both words, one, and none."""
    with gzip.open(tmp_path / FILE, "wt", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "product_uid", "product_title", "search_term", "relevance"])
        for number in range(300):
            first, second = f"kind{number}", f"make{number}"
            for at, title in enumerate((f"{first} {second}", f"{first} alone", "another thing")):
                rows.writerow([3 * number + at, number, title, f"{first} {second}", 3 - at])
    settings = {
        "COUNTERPOISE_DATA": str(tmp_path),
        "COUNTERPOISE_LABELERS": "lexical,openai_compatible",
        "COUNTERPOISE_LABELER_SET": "labeler.lexical.cosine=false labeler.lexical.rounds=20",
        "COUNTERPOISE_LABELER_TEST_PAIRS": str(SAMPLE),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("planted")
def test_a_row_says_how_many_pairs_and_a_kind_that_cannot_run_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(labeler_runs, "find_lacking", lambda: "package xllamacpp is not installed")
    found = {result.what: result for result in measure()}
    assert any(what.startswith("lexical: fit on ") for what in found)
    assert found["lexical: judged on"].measured.startswith(f"{SAMPLE} pairs of ")
    assert float(found["lexical: qwk"].measured.split()[0]) > 0.9
    assert "openai_compatible: skipped, package xllamacpp" in capsys.readouterr().out
    assert not any(what.startswith("openai_compatible") for what in found)
