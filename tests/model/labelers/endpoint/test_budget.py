"""The budget of calls and tokens ends the questions, and processes share it."""

import pytest

from model.labelers.endpoint.budget import SharesBudget
from model.labelers.endpoint.labeler import Endpoint, StoppedError
from tests.model.labelers.endpoint.chat_server import Server, conf, graded, pairs


def test_processes_share_the_budget(server: Server) -> None:
    labeler = Endpoint(conf(server, budget={"calls": 9, "tokens": 100_000}))
    labeler.share_budget(4)
    answers = labeler.predict_some(pairs(10))
    assert answers.answered.sum() == 2 == len(server.payloads)
    assert isinstance(labeler, SharesBudget)


@pytest.mark.parametrize("when_spent", ["leave", "stop"])
def test_the_budget_of_calls(server: Server, when_spent: str) -> None:
    labeler = Endpoint(conf(server, budget={"calls": 4, "when_spent": when_spent}))
    if when_spent == "stop":
        with pytest.raises(StoppedError, match=r"4 calls, 200 tokens\), 6 pairs are left") as error:
            labeler.predict_some(pairs(10))
        answers = error.value.answers
    else:
        answers = labeler.predict_some(pairs(10))
    assert answers.answered.sum() == 4 and answers.missing == {"budget spent": 6}
    assert len(server.payloads) == 4
    assert labeler.budget.count_spent() == {"calls": 4, "tokens": 200}


def test_the_budget_of_tokens_learns_what_a_call_takes(server: Server) -> None:
    server.behaviour = lambda number, payload: graded(2, tokens=1000)
    labeler = Endpoint(conf(server, budget={"tokens": 4500}, concurrency=1))
    answers = labeler.predict_some(pairs(30))
    assert labeler.budget.count_spent() == {"calls": 4, "tokens": 4000}
    assert answers.answered.sum() == 4
    assert set(answers.missing) == {"budget spent"}
