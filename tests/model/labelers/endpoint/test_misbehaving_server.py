"""A server that is slow, down, or talks nonsense costs the pairs that it did not grade."""

import json
import threading
import time
from typing import Any

import pytest

from model.labelers.base import LabelerError
from model.labelers.endpoint.labeler import Endpoint
from tests.model.labelers.endpoint.chat_server import Reply, Server, conf, failing, graded, pairs


def test_retry_after_of_one_request_holds_all_back(server: Server) -> None:
    asked: list[float] = []

    def limited(number: int, payload: dict[str, Any]) -> Reply:
        asked.append(time.monotonic())
        return failing(429, Retry_After="1") if number == 1 else graded(1)

    server.behaviour = limited
    found = Endpoint(conf(server)).predict(pairs(6))
    assert found.grades.tolist() == [1] * 6 and len(server.payloads) == 7
    in_flight = 3
    assert min(asked[in_flight:]) >= asked[0] + 0.9


def test_a_wait_beyond_the_limit_leaves_the_pair(server: Server) -> None:
    server.behaviour = lambda number, payload: failing(429, Retry_After="3600")
    answers = Endpoint(conf(server)).predict_some(pairs(1))
    assert answers.reasons == ["endpoint answers 429, Retry-After beyond the limit"]
    assert len(server.payloads) == 1


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors_are_retried_then_named(server: Server, status: int) -> None:
    server.behaviour = lambda number, payload: failing(status) if number < 3 else graded(2)
    assert Endpoint(conf(server)).predict(pairs(1)).grades.tolist() == [2]
    server.behaviour = lambda number, payload: failing(status)
    server.payloads.clear()
    answers = Endpoint(conf(server, retry={"attempts": 3})).predict_some(pairs(1))
    assert answers.reasons == [f"endpoint answers {status}"] and len(server.payloads) == 3


CUT = json.dumps({"choices": [{"message": {"content": '{"gr'}, "finish_reason": "length"}]})


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((200, {}, b'{"choices": [{"mess'), "reply is cut or not JSON"),
        ((200, {}, CUT.encode()), "answer is cut before a grade"),
        (graded(7), "answer is not a grade of 0, 1 or 2"),
        (graded("excellent"), "answer is not a grade of 0, 1 or 2"),
        ((200, {}, b'{"error": null}'), "reply without an answer"),
        ((200, {"content-encoding": "gzip"}, b"no gzip"), "reply cannot be read"),
        ((200, {"content-length": "999", "drop": "1"}, b"{"), "no connection to the endpoint"),
        ((400, {}, b"{}"), "endpoint refuses the request (400)"),
    ],
)
def test_nonsense_is_a_reason_and_the_others_are_graded(
    server: Server, reply: Reply, reason: str
) -> None:
    def behaviour(number: int, payload: dict[str, Any]) -> Reply:
        return reply if "item 1" in payload["messages"][1]["content"] else graded(2)

    server.behaviour = behaviour
    labeler = Endpoint(conf(server))
    answers = labeler.predict_some(pairs(3))
    assert answers.reasons == [None, reason, None]
    assert answers.p_ge_2[[0, 2]].tolist() == [1.0, 1.0]
    with pytest.raises(LabelerError, match="no grade for 1 of 3: 1 x "):
        labeler.predict(pairs(3))


def test_a_slow_server_is_given_up(server: Server) -> None:
    given_up = threading.Event()

    def slow(number: int, payload: dict[str, Any]) -> Reply:
        given_up.wait(60.0)
        return graded(2)

    server.behaviour = slow
    settings = {"timeout_seconds": 0.1, "retry": {"attempts": 2}}
    answers = Endpoint(conf(server, **settings)).predict_some(pairs(1))
    given_up.set()
    assert answers.reasons == ["endpoint is too slow"]


def test_a_server_that_is_down_is_left_after_a_few_pairs(server: Server) -> None:
    settings = {"url": "http://127.0.0.1:9/v1", "retry": {"attempts": 2, "down_after": 3}}
    answers = Endpoint(conf(server, **settings)).predict_some(pairs(40))
    assert not answers.answered.any()
    assert answers.missing["endpoint is down"] >= 30
    assert answers.missing["no connection to the endpoint"] >= 3


def test_a_form_that_is_refused_falls_back_once_for_all(server: Server) -> None:
    def plain_only(number: int, payload: dict[str, Any]) -> Reply:
        fancy = "response_format" in payload or "logprobs" in payload
        return failing(400) if fancy else graded(1)

    server.behaviour = plain_only
    labeler = Endpoint(conf(server, concurrency=1))
    assert labeler.predict(pairs(3)).grades.tolist() == [1, 1, 1]
    assert len(server.payloads) == 5 + 3


def test_log_probabilities_that_are_not_wanted_are_never_asked_for(server: Server) -> None:
    server.behaviour = lambda number, payload: failing(400)
    answers = Endpoint(conf(server, log_probabilities=False)).predict_some(pairs(1))
    assert answers.reasons == ["endpoint refuses the request (400)"]
    forms = [payload.get("response_format", {}).get("type") for payload in server.payloads]
    assert forms == ["json_schema", "json_object", None]
    assert not any("logprobs" in payload for payload in server.payloads)
