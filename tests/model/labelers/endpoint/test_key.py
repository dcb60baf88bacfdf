"""A wrong key or address ends the run, and a key goes into the header alone."""

from pathlib import Path

import pytest

from model.labelers.endpoint.labeler import LEFT, Endpoint, StoppedError
from model.labelers.store import save_labeler
from tests.model.labelers.endpoint.chat_server import Server, conf, failing, graded, pairs

KEY = "sk-very-secret"


@pytest.mark.parametrize(
    ("status", "mend"), [(401, "set the key in MY_KEY"), (404, "see url and model 'judge'")]
)
def test_a_wrong_key_or_address_ends_the_run(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int, mend: str
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.behaviour = lambda number, payload: graded(2) if number == 1 else failing(status)
    labeler = Endpoint(conf(server, key_variable="MY_KEY", model="judge", concurrency=1))
    with pytest.raises(StoppedError, match=mend) as caught:
        labeler.predict_some(pairs(20))
    assert KEY not in str(caught.value)
    assert caught.value.answers.answered.sum() == 1
    assert caught.value.answers.missing == {LEFT: 19}
    assert len(server.payloads) <= 4


def test_the_key_goes_into_the_header_only(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labeler = Endpoint(conf(server, key_variable="MY_KEY"))
    labeler.predict(pairs(1))
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    labeler.predict(pairs(1))
    assert server.keys == [None, f"Bearer {KEY}"]
    save_labeler(labeler, tmp_path / "labeler")
    saved = [path.read_text() for path in (tmp_path / "labeler").iterdir()]
    assert not any(KEY in text for text in (*saved, repr(vars(labeler))))
