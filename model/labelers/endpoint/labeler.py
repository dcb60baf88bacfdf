"""The labeler `openai_compatible`: a chat endpoint (vLLM, llama.cpp, a vendor) grades pairs."""

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.schema import Conf
from conf.sections.labelers.endpoint import EndpointConf
from model.files import read_json, write_json
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.endpoint.budget import Budget
from model.labelers.endpoint.calibration import apply_maps, fit_maps
from model.labelers.endpoint.client import OUT_OF_BUDGET, ChatClient, NotGradedError
from model.labelers.endpoint.http import SECTION
from model.labelers.fitting import check_fit, hash_data, hash_parts
from model.labelers.kinds import ENDPOINT
from model.labelers.partial import Answers
from model.labelers.prompt import Template, mark_suspected, neutralise_pairs, read_template

SETTINGS = "endpoint.json"
LEFT = "labeling stopped before this pair"
_FEWEST = 30
"""Graded pairs below which two logistic maps cannot be fitted (count)."""
_HOW = {"concurrency", "connect_seconds", "timeout_seconds", "retry", "budget", "key_variable"}
"""Conf that says how the endpoint is talked to: no part of a version."""

Cumulative = tuple[float, float]


class StoppedError(LabelerError):
    """Labeling stopped before all pairs were asked; `answers` holds what there is by then."""

    def __init__(self, message: str, answers: Answers) -> None:
        super().__init__(message)
        self.answers = answers


class Endpoint:
    """A chat endpoint that grades pairs by constrained JSON."""

    kind = ENDPOINT

    def __init__(
        self,
        conf: EndpointConf,
        template: Template | None = None,
        fitted: dict[str, Any] | None = None,
    ) -> None:
        """Nothing is asked before `fit` or `predict`.

        Args:
            conf: the section of the kind.
            template: of the prompt; the conf's where it is None.
            fitted: what `fit` learnt, as it was saved.
        """
        self._conf = conf
        self._template = template or read_template(conf.prompt)
        self._fitted: dict[str, Any] = fitted or {}
        self.budget = Budget(conf.budget)

    def share_budget(self, processes: int) -> None:
        """Keep to the part of one of so many processes (count); what was spent is forgotten."""
        self.budget = Budget(self._conf.budget, processes)

    @property
    def prompt_hash(self) -> str:
        """Hash of the template."""
        return self._template.hash

    @property
    def version(self) -> str:
        """Hash of address, model, template, conf, and the calibration with its data."""
        conf = self._conf.model_dump(mode="json", exclude=_HOW)
        parts = {"kind": self.kind, "prompt": self.prompt_hash, "conf": conf}
        return hash_parts({**parts, "fitted": self._fitted})

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Calibrate the endpoint's probabilities where the conf wants it; else ask nothing.

        `platt` maps each threshold's probability by a logistic curve on the labels as given, so
        that the result carries their mix of grades, as a fitted labeler's does. `balanced` gives
        each grade the same total weight first: the result then belongs to a uniform mix.

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or the endpoint grades fewer
                than 30 of the pairs asked.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        self._fitted = {}
        details: dict[str, Any] = {"suspected_injections": int(mark_suspected(pairs).sum())}
        if self._conf.calibration != "none":
            details |= self._calibrate(pairs, targets)
        return FitReport(len(pairs), time.monotonic() - started, details)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the probabilities of the pairs, in their order.

        Raises:
            LabelerError: a pair cannot be graded; `predict_some` says which and why instead.
        """
        return self.predict_some(pairs).require_complete()

    def predict_some(self, pairs: Pairs) -> Answers:
        """Ask for an answer or a reason for each pair; equal texts are asked once.

        Raises:
            StoppedError: the endpoint cannot be used at all (key, address, model), or the budget
                is spent and the conf wants that to be an error; it carries the answers so far.
        """
        texts = neutralise_pairs(pairs, self._conf.prompt)
        both = list(zip(texts.queries, texts.items, strict=True))
        outcomes, error = self._ask_all(list(dict.fromkeys(both)))
        answers = self._build_answers([outcomes[pair] for pair in both], mark_suspected(pairs))
        if error is not None:
            raise StoppedError(str(error), answers) from error
        if self._conf.budget.when_spent == "stop" and OUT_OF_BUDGET in answers.missing:
            spent = self.budget.count_spent()
            raise StoppedError(
                f"budget of the endpoint is spent ({spent['calls']} calls, {spent['tokens']} "
                f"tokens), {answers.missing[OUT_OF_BUDGET]} pairs are left; raise "
                f"{SECTION}.budget",
                answers,
            )
        return answers

    def save(self, folder: Path) -> None:
        """Write conf, template and calibration; never the key."""
        content = {
            "conf": self._conf.model_dump(mode="json"),
            "template": asdict(self._template),
            "fitted": self._fitted,
        }
        write_json(folder / SETTINGS, content)

    def _ask_all(
        self, pairs: Sequence[tuple[str, str]]
    ) -> tuple[dict[tuple[str, str], Cumulative | str], LabelerError | None]:
        """Ask for every pair: probabilities or a reason by pair, and the error that ended the
        asking, if one did."""
        outcomes: dict[tuple[str, str], Cumulative | str] = dict.fromkeys(pairs, LEFT)
        with ChatClient(self._conf, self.budget) as client:
            pool = ThreadPoolExecutor(self._conf.concurrency)
            try:
                asked = {pool.submit(self._ask_pair, client, pair): pair for pair in pairs}
                wait(asked, return_when=FIRST_EXCEPTION)
            finally:
                pool.shutdown(cancel_futures=True)
        failed: LabelerError | None = None
        for future, pair in asked.items():
            outcome = LEFT if future.cancelled() else _take_result(future)
            if isinstance(outcome, LabelerError):
                failed = failed or outcome
            else:
                outcomes[pair] = outcome
        return outcomes, failed

    def _ask_pair(self, client: ChatClient, pair: tuple[str, str]) -> Cumulative | str:
        try:
            graded = client.ask_grade(self._template.build_messages(*pair))
        except NotGradedError as reason:
            return str(reason)
        return graded.compute_cumulative(self._conf.smoothing)

    def _build_answers(
        self, outcomes: Sequence[Cumulative | str], suspected: NDArray[np.bool_]
    ) -> Answers:
        values = [(np.nan, np.nan) if isinstance(one, str) else one for one in outcomes]
        table = np.array(values, np.float64).reshape(-1, 2)
        reasons = [one if isinstance(one, str) else None for one in outcomes]
        ge_1, ge_2 = table[:, 0], table[:, 1]
        if "maps" in self._fitted:
            ge_1, ge_2 = apply_maps(ge_1, ge_2, self._fitted["maps"])
        return Answers(ge_1, ge_2, reasons, suspected)

    def _calibrate(self, pairs: Pairs, targets: Targets) -> dict[str, Any]:
        """Ask for a draw of the pairs and fit the maps on what was graded."""
        draw = np.random.default_rng(self._conf.seed).permutation(len(pairs))
        rows = np.sort(draw[: self._conf.calibration_pairs])
        answers = self.predict_some(pairs.select_rows(rows))
        answered = answers.answered
        if answered.sum() < _FEWEST:
            raise LabelerError(
                f"the endpoint graded {answered.sum()} of {len(rows)} pairs, {_FEWEST} are needed "
                f"to calibrate: {answers.missing}"
            )
        labels = targets.select_rows(rows[answered])
        graded = Probabilities(answers.p_ge_1[answered], answers.p_ge_2[answered])
        balanced = self._conf.calibration == "balanced"
        self._fitted = {
            "maps": fit_maps(graded, labels, balanced),
            "data": hash_data(pairs.select_rows(rows[answered]), labels),
        }
        counts = {"asked": len(rows), "graded": int(answered.sum()), "missing": answers.missing}
        return counts | self.budget.count_spent()


def build(conf: Conf) -> Endpoint:
    """Build an unfitted labeler of the conf's section.

    Raises:
        LabelerError: the template of the conf cannot be read.
    """
    return Endpoint(conf.labeler.openai_compatible)


def load(folder: Path) -> Endpoint:
    """Read what `Endpoint.save` wrote.

    Raises:
        LabelerError: the file is missing or damaged.
    """
    try:
        content = read_json(folder / SETTINGS, LabelerError)
        conf = EndpointConf.model_validate(content["conf"])
        return Endpoint(conf, Template.from_json(content["template"]), content["fitted"])
    except (OSError, KeyError, ValueError) as error:
        raise LabelerError(f"labeler at {folder} cannot be read: {error}") from error


def _take_result(future: "Future[Cumulative | str]") -> Cumulative | str | LabelerError:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, LabelerError):
        return error
    raise error
