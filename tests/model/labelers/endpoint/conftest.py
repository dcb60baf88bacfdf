"""A server for the endpoint labeler."""

from collections.abc import Iterator

import pytest

from tests.model.labelers.endpoint.chat_server import Server, serve_chat


@pytest.fixture
def server() -> Iterator[Server]:
    """It grades every pair 2 until a test says otherwise."""
    with serve_chat() as state:
        yield state
