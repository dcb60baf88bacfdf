"""The HTTP client of an endpoint, with its key, and the header that asks to wait."""

import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from conf.sections.labelers.endpoint import EndpointConf
from model.labelers.base import LabelerError
from model.labelers.kinds import ENDPOINT

SECTION = f"labeler.{ENDPOINT}"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_client(conf: EndpointConf) -> httpx.Client:
    """Open a client of the endpoint's address only: no redirect takes the key elsewhere.

    Raises:
        LabelerError: the address is none or holds a password, or the key is no plain text.
    """
    key = os.environ.get(conf.key_variable, "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if not key.isascii() or not key.isprintable():
        raise LabelerError(f"the key in {conf.key_variable} is no plain text")
    try:
        url = httpx.URL(conf.url.rstrip("/") + "/")
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.userinfo:
        raise LabelerError(f"{SECTION}.url holds a password; put the key into {conf.key_variable}")
    if url.scheme not in ("http", "https") or not url.host:
        raise LabelerError(f"{SECTION}.url {conf.url!r} is not an http(s) address")
    return httpx.Client(
        base_url=url,
        headers=headers,
        timeout=httpx.Timeout(conf.timeout_seconds, connect=conf.connect_seconds),
        limits=httpx.Limits(max_connections=conf.concurrency),
        trust_env=url.host not in _LOOPBACK,
    )


def parse_retry_after(value: str | None) -> float | None:
    """Parse the seconds of a Retry-After header (RFC 9110, 10.2.3): a number or a date; None if
    neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (zoned - datetime.now(UTC)).total_seconds())
