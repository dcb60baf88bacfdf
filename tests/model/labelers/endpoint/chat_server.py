"""A chat endpoint on loopback that misbehaves as a test says, and short conf for it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conf.sections.labelers import EndpointConf
from model.labelers.base import Pairs

Reply = tuple[int, dict[str, str], bytes]
Behaviour = Callable[[int, dict[str, Any]], Reply]


@dataclass
class Server:
    """A chat endpoint that does what `behaviour(number of request, payload)` says."""

    url: str
    behaviour: Behaviour = field(default=lambda number, payload: graded(2))
    payloads: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def questions(self) -> list[str]:
        return [payload["messages"][1]["content"] for payload in self.payloads]


@contextmanager
def serve_chat() -> Iterator[Server]:
    """A server that runs within the context."""
    state = Server("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with state.lock:
                state.payloads.append(payload)
                state.keys.append(self.headers.get("authorization"))
                number = len(state.payloads)
            status, headers, body = state.behaviour(number, payload)
            self.send_response(status)
            headers = {"content-length": str(len(body)), **headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if "drop" in headers:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        state.url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()


def graded(grade: object, tokens: int = 50) -> Reply:
    content = json.dumps({"grade": grade})
    body = {
        "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
        "usage": {"total_tokens": tokens},
    }
    return 200, {}, json.dumps(body).encode()


def failing(status: int, **headers: str) -> Reply:
    return status, {k.replace("_", "-"): v for k, v in headers.items()}, b'{"error": "no"}'


def conf(server: Server, **settings: Any) -> EndpointConf:
    quick = {"base_seconds": 0.01, "max_seconds": 1.5, **settings.pop("retry", {})}
    return EndpointConf.model_validate(
        {"url": server.url, "smoothing": 0.0, "concurrency": 2, "retry": quick, **settings}
    )


def pairs(count: int) -> Pairs:
    return Pairs([f"query {at}" for at in range(count)], [f"item {at}" for at in range(count)])
