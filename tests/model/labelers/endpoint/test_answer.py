"""Grades out of chat completions: JSON, lone digits, log-probabilities, and all that is neither."""

import json
import math
from typing import Any

import pytest

from model.labelers.endpoint.answer import GradedReply, NoGradeError, read_reply, read_token_count


def reply(content: object, logprobs: Any = None, finish: str = "stop") -> bytes:
    choice = {"message": {"content": content}, "finish_reason": finish, "logprobs": logprobs}
    return json.dumps({"choices": [choice], "usage": {"total_tokens": 40}}).encode()


def token(text: str, *others: tuple[str, float]) -> dict[str, Any]:
    top = [{"token": other, "logprob": math.log(p)} for other, p in others]
    own = dict(others).get(text, 1.0)
    return {"token": text, "logprob": math.log(own), "top_logprobs": top}


@pytest.mark.parametrize(
    ("content", "grade"),
    [
        ('{"grade": 2}', 2),
        ('{ "grade" : "1" }', 1),
        ('```json\n{"grade":0}\n```', 0),
        ("2", 2),
        (" 1.\n", 1),
        ('{"grade": 1, "why": "2 of 3 words"}', 1),
        ('{"grade": 1} {"grade": 1}', 1),
        ('{"grade": 2', 2),
    ],
)
def test_grades_are_read(content: str, grade: int) -> None:
    assert read_reply(reply(content)) == GradedReply(grade, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"grade": 3}', "not a grade"),
        ('{"grade": 12}', "not a grade"),
        ('{"grade": 1.5}', "not a grade"),
        ('{"grade": 1} or {"grade": 2}', "not a grade"),
        ("The grade is 2 or 1", "not a grade"),
        ("", "not a grade"),
        (None, "without an answer"),
        (["2"], "without an answer"),
    ],
)
def test_what_is_no_grade(content: object, reason: str) -> None:
    with pytest.raises(NoGradeError, match=reason):
        read_reply(reply(content))


def test_a_cut_answer_says_so() -> None:
    with pytest.raises(NoGradeError, match="cut before a grade"):
        read_reply(reply('{"gra', finish="length"))


@pytest.mark.parametrize("body", [b'{"choices": [', b"\xff\xfe", b"<html>"])
def test_a_cut_body_is_named(body: bytes) -> None:
    with pytest.raises(NoGradeError, match="cut or not JSON"):
        read_reply(body)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"choices": []}', b"null", b'{"choices": [1]}'])
def test_a_reply_of_another_shape(body: bytes) -> None:
    with pytest.raises(NoGradeError, match="without an answer"):
        read_reply(body)


def test_masses_come_from_the_token_of_the_grade() -> None:
    tokens = [
        token('{"', ("2", 0.9)),
        token('grade":', ("1", 0.9)),
        token(" 1", (" 1", 0.5), ("2", 0.2), (" 2", 0.1), ("x", 0.1), ("0", 0.1)),
        token("}", ("0", 0.9)),
    ]
    graded = read_reply(reply('{"grade": 1}', {"content": tokens}))
    assert graded.grade == 1
    assert graded.masses == pytest.approx((0.1 / 0.9, 0.5 / 0.9, 0.3 / 0.9))
    assert graded.compute_cumulative(0.5) == pytest.approx((0.8 / 0.9, 0.3 / 0.9))


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        {"content": []},
        {"content": [{"token": "2"}]},
        {"content": [{"token": "2", "logprob": "high", "top_logprobs": [{}]}]},
        {"content": [token("2", ("2", 1.0))]},
        {"content": [token("x", ("x", 0.6), ("y", 0.4))]},
    ],
)
def test_unusable_log_probabilities_leave_the_grade(logprobs: Any) -> None:
    expected = (0.0, 0.0, 1.0) if logprobs and "top_logprobs" in str(logprobs) else None
    graded = read_reply(reply("2", logprobs))
    assert graded.grade == 2
    assert graded.masses in (None, expected)


def test_smoothing_spreads_a_hard_grade() -> None:
    assert GradedReply(0, None).compute_cumulative(0.3) == pytest.approx((0.2, 0.1))
    assert GradedReply(1, None).compute_cumulative(0.3) == pytest.approx((0.9, 0.1))
    assert GradedReply(2, None).compute_cumulative(0.3) == pytest.approx((0.9, 0.8))
    assert GradedReply(2, None).compute_cumulative(0.0) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [(reply("x"), 40), (b"{}", None), (b"cut", None), (b'{"usage": {"total_tokens": "9"}}', None)],
)
def test_tokens_as_counted(body: bytes, tokens: int | None) -> None:
    assert read_token_count(body) == tokens
