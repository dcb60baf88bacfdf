"""From a chat completion to the probabilities of the three grades."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.labelers.base import GRADE_COUNT

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"grade": {"type": "integer", "enum": list(range(GRADE_COUNT))}},
    "required": ["grade"],
    "additionalProperties": False,
}
_IN_JSON = re.compile(r'"grade"\s*:\s*"?([0-2])(?![0-9.])')
_ALONE = re.compile(r"\s*([0-2])\s*\.?\s*\Z")
_AROUND_DIGIT = " \t\n\"':{}"


class NoGradeError(Exception):
    """The reply holds no grade; the message is the reason, without the reply's words."""


@dataclass(frozen=True)
class GradedReply:
    """A grade read from a reply.

    Attributes:
        grade: 0, 1 or 2, as answered.
        masses: probability of each grade, from the log-probabilities of the token that says the
            grade; None where the endpoint gave none.
    """

    grade: int
    masses: tuple[float, float, float] | None

    def compute_cumulative(self, smoothing: float) -> tuple[float, float]:
        """Compute P(grade >= 1) and P(grade >= 2).

        Without log-probabilities (1 - s) of the mass is on the grade and s is spread over all.
        """
        masses = self.masses
        if masses is None:
            spread = smoothing / GRADE_COUNT
            hit = 1.0 - smoothing
            masses = (
                spread + hit * (self.grade == 0),
                spread + hit * (self.grade == 1),
                spread + hit * (self.grade == 2),
            )
        ge_2 = min(1.0, masses[2])
        return min(1.0, masses[1] + ge_2), ge_2


def read_reply(body: bytes) -> GradedReply:
    """Read the grade of a chat completion.

    Raises:
        NoGradeError: the body is cut or no JSON, has no answer, or the answer is no grade.
    """
    try:
        reply = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise NoGradeError("reply is cut or not JSON") from error
    try:
        choice = reply["choices"][0]
        content = choice["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise NoGradeError("reply without an answer") from error
    if not isinstance(content, str):
        raise NoGradeError("reply without an answer")
    grade, at = _find_grade(content, cut=choice.get("finish_reason") == "length")
    return GradedReply(grade, _compute_masses(choice, grade, at))


def read_token_count(body: bytes) -> int | None:
    """Read how many tokens prompt and answer had by the endpoint's count; None where it does not
    say."""
    try:
        total = json.loads(body)["usage"]["total_tokens"]
    except (ValueError, KeyError, TypeError):
        return None
    return total if isinstance(total, int) and total >= 0 else None


def _find_grade(content: str, cut: bool) -> tuple[int, int]:
    """Find the grade and where its digit stands: as the value of "grade", or alone."""
    named = {match[1]: match.start(1) for match in _IN_JSON.finditer(content)}
    if len(named) == 1:
        ((digit, at),) = named.items()
        return int(digit), at
    alone = _ALONE.match(content)
    if alone:
        return int(alone[1]), alone.start(1)
    if cut:
        raise NoGradeError("answer is cut before a grade")
    raise NoGradeError("answer is not a grade of 0, 1 or 2")


def _compute_masses(
    choice: Mapping[str, Any], grade: int, at: int
) -> tuple[float, float, float] | None:
    """Compute the masses of the grades among the alternatives of the digit's token; they add up to
    1.

    Tokens such as " 1" or ":1" count as their digit. A grade that is not listed has mass 0. None
    where there are no alternatives, or where they contradict the answer (a token without a digit).
    """
    try:
        tokens = choice["logprobs"]["content"]
        token = _find_token(tokens, at)
        listed = [(token["token"], token["logprob"])]
        listed += [(other["token"], other["logprob"]) for other in token.get("top_logprobs") or []]
        by_grade = _sum_by_grade(listed)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    total = sum(by_grade.values())
    if grade not in by_grade or len(listed) < 2 or not total > 0:
        return None
    return (
        by_grade.get(0, 0.0) / total,
        by_grade.get(1, 0.0) / total,
        by_grade.get(2, 0.0) / total,
    )


def _sum_by_grade(listed: Sequence[tuple[str, float]]) -> dict[int, float]:
    """Sum the probability of each grade; the chosen token is listed twice and counts once."""
    by_grade: dict[int, float] = {}
    for text, log_probability in dict(listed).items():
        digit = text.strip(_AROUND_DIGIT)
        if digit in ("0", "1", "2"):
            mass = math.exp(min(0.0, float(log_probability)))
            by_grade[int(digit)] = by_grade.get(int(digit), 0.0) + mass
    return by_grade


def _find_token(tokens: Sequence[Mapping[str, Any]], at: int) -> Mapping[str, Any]:
    """Find the token that covers character `at` of the answer."""
    end = 0
    for token in tokens:
        end += len(token["token"])
        if end > at:
            return token
    raise IndexError("the tokens are shorter than the answer")
