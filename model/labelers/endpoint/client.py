"""One question at a time to a chat endpoint: constrained, retried, within its budget."""

import random
import threading
import time
from http import HTTPStatus
from typing import Any, Self

import httpx

from conf.sections.labelers.endpoint import EndpointConf
from model.labelers.base import LabelerError
from model.labelers.endpoint.answer import (
    SCHEMA,
    GradedReply,
    NoGradeError,
    read_reply,
    read_token_count,
)
from model.labelers.endpoint.budget import Budget
from model.labelers.endpoint.http import SECTION, open_client, parse_retry_after

FORMS = tuple(
    (form, more) for form in ("json_schema", "json_object", "text") for more in (True, False)
)
"""How an answer can be asked for, best first: its format, and with log-probabilities or without."""
OUT_OF_BUDGET = "budget spent"
DOWN = "endpoint is down"
_TRY_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Status codes of an endpoint that is busy or fails for now."""
_FORM_REFUSED = {400, 413, 415, 422, 501}
"""Status codes by which endpoints refuse a way to ask, such as an unknown response format."""
_BODY_LIMIT = 1 << 20
"""Largest reply that is read (bytes): an answer takes a few thousand."""
_CHARS_A_TOKEN = 3
"""Characters of a token, few, so that the budget's estimate is rather too high."""
_ALTERNATIVES = 20
"""Log-probabilities asked for beside the token's own: 20 is the most that the API gives."""


class NotGradedError(Exception):
    """A pair stays without a grade; the message is the reason."""


class _AgainError(Exception):
    """This request failed, another may not: why, and how long the endpoint asks to wait (s)."""

    def __init__(self, reason: str, wait: float | None = None, replied: bool = True) -> None:
        super().__init__(reason)
        self.wait, self.replied = wait, replied


class ChatClient:
    """Asks for grades; safe to use from several threads.

    The key comes from the environment variable that the conf names, goes into the request's
    header and nowhere else. An endpoint without a key needs none.
    """

    def __init__(self, conf: EndpointConf, budget: Budget) -> None:
        self._conf, self._budget = conf, budget
        wanted = FORMS[FORMS.index((conf.answer, conf.log_probabilities)) :]
        self._forms = [form for form in wanted if conf.log_probabilities or not form[1]]
        self._level = 0
        self._lock = threading.Lock()
        self._resume_at = 0.0
        self._silent = 0
        self._http = open_client(conf)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask_grade(self, messages: list[dict[str, str]]) -> GradedReply:
        """Ask for the grade of one chat.

        Raises:
            NotGradedError: no grade after all attempts, out of budget, or the endpoint is down.
            LabelerError: the endpoint wants another key, or address or model are not known there.
        """
        retry, nonsense, reason = self._conf.retry, 0, DOWN
        for attempt in range(retry.attempts):
            if self._is_down():
                raise NotGradedError(DOWN)
            self._pause_as_asked()
            try:
                graded = self._request_grade(messages)
            except NoGradeError as error:
                self._note_reply(True)
                reason, wait, nonsense = str(error), 0.0, nonsense + 1
                if nonsense >= retry.answer_attempts:
                    break
            except _AgainError as error:
                reason, wait = str(error), self._draw_wait(error, attempt)
                if wait > retry.max_seconds:
                    raise NotGradedError(f"{reason}, Retry-After beyond the limit") from error
                if attempt + 1 == retry.attempts:
                    self._note_reply(error.replied)
            else:
                self._note_reply(True)
                return graded
            if attempt + 1 < retry.attempts:
                time.sleep(wait)
        raise NotGradedError(reason)

    def _request_grade(self, messages: list[dict[str, str]]) -> GradedReply:
        """Send one request; where the endpoint refuses its form, the same with less asked for.

        The first form that it takes is the form of all later requests.
        """
        refused = 0
        for level in range(self._level, len(self._forms)):
            payload = self._build_payload(messages, self._forms[level])
            status, headers, body = self._post_payload(payload)
            if status == HTTPStatus.OK:
                self._level = max(self._level, level)
                return read_reply(body)
            if status in _TRY_AGAIN:
                raise self._note_wait(status, headers)
            if status not in _FORM_REFUSED:
                raise self._explain_refusal(status)
            refused = status
        raise NotGradedError(f"endpoint refuses the request ({refused})")

    def _explain_refusal(self, status: int) -> LabelerError:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            mend = f"set the key in {self._conf.key_variable}"
        else:
            mend = f"see url and model {self._conf.model!r} of {SECTION}"
        return LabelerError(f"{self._conf.url} answers {status}; {mend}")

    def _post_payload(self, payload: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """Post a request and read status, headers and body within its time; it counts in the
        budget."""
        prompt = len(str(payload["messages"])) // _CHARS_A_TOKEN
        expected = self._budget.reserve_call(prompt + self._conf.max_answer_tokens)
        if expected is None:
            raise NotGradedError(OUT_OF_BUDGET)
        spent = 0
        try:
            status, headers, body = self._exchange_bytes(payload)
            if status == HTTPStatus.OK:
                counted = read_token_count(body)
                spent = expected if counted is None else counted
            return status, headers, body
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            spent = expected
            raise _AgainError("endpoint is too slow", replied=False) from error
        except httpx.TransportError as error:
            raise _AgainError("no connection to the endpoint", replied=False) from error
        except httpx.RequestError as error:
            raise _AgainError("reply cannot be read") from error
        finally:
            self._budget.settle_call(expected, spent)

    def _exchange_bytes(self, payload: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        end = time.monotonic() + self._conf.timeout_seconds
        with self._http.stream("POST", "chat/completions", json=payload) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the body drips")
                if len(body) > _BODY_LIMIT:
                    break
            return response.status_code, response.headers, bytes(body)

    def _build_payload(
        self, messages: list[dict[str, str]], form: tuple[str, bool]
    ) -> dict[str, Any]:
        kind, log_probabilities = form
        payload: dict[str, Any] = {
            "model": self._conf.model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": self._conf.max_answer_tokens,
        }
        if kind == "json_schema":
            schema = {"name": "grade", "strict": True, "schema": SCHEMA}
            payload["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif kind == "json_object":
            payload["response_format"] = {"type": "json_object"}
        if log_probabilities:
            payload |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
        return payload

    def _note_wait(self, status: int, headers: httpx.Headers) -> _AgainError:
        wait = parse_retry_after(headers.get("retry-after"))
        if wait is not None and wait <= self._conf.retry.max_seconds:
            with self._lock:
                self._resume_at = max(self._resume_at, time.monotonic() + wait)
        return _AgainError(f"endpoint answers {status}", wait)

    def _draw_wait(self, error: _AgainError, attempt: int) -> float:
        """Draw the wait (s): exponential backoff with full jitter, at least what the endpoint asks
        for."""
        longest = min(self._conf.retry.max_seconds, self._conf.retry.base_seconds * 2.0**attempt)
        return max(random.uniform(0, longest), error.wait or 0.0)

    def _pause_as_asked(self) -> None:
        """Wait until the endpoint wants to be asked again: one thread's 429 is everybody's."""
        with self._lock:
            wait = self._resume_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    def _note_reply(self, replied: bool) -> None:
        with self._lock:
            self._silent = 0 if replied else self._silent + 1

    def _is_down(self) -> bool:
        with self._lock:
            return self._silent >= self._conf.retry.down_after
