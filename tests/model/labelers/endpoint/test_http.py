"""How long an endpoint asks to wait, and the addresses and keys that a client refuses."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from conf.sections.labelers import EndpointConf
from model.labelers.base import LabelerError
from model.labelers.endpoint.http import open_client, parse_retry_after

KEY = "sk-very-secret"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("7", 7.0), (" 0 ", 0.0), ("soon", None), ("-1", None), ("", None), ("²", None)],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    assert parse_retry_after(format_datetime(later, usegmt=True)) == pytest.approx(30.0, abs=2.0)
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://127.0.0.1/x", "not an http"),
        ("http://[::1", "not an http"),
        ("", "not an http"),
        (f"http://me:{KEY}@127.0.0.1/v1", "holds a password; put the key into COUNTERPOISE"),
        (f"ftp://me:{KEY}@127.0.0.1/v1", "holds a password"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, message: str) -> None:
    with pytest.raises(LabelerError, match=message) as caught:
        open_client(EndpointConf(url=url))
    assert KEY not in str(caught.value)


def test_a_key_that_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_LABELER_KEY", f"{KEY}\x07é")
    with pytest.raises(LabelerError, match="COUNTERPOISE_LABELER_KEY is no plain text") as caught:
        open_client(EndpointConf())
    assert KEY not in str(caught.value)
