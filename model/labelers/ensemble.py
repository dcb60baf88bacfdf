"""The labeler `ensemble`: the weighted mean of two or more fitted labelers.

Members are fitted on the training pairs; then their shares in the mean are chosen on the
validation pairs, by what each member said of them before it learnt from them, if it ever did.
Files: ensemble.json (conf, shares), and a folder for each member.
"""

import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np

from conf.schema import Conf
from conf.sections.labelers.ensemble import EnsembleConf
from model.files import read_json, short_hash, write_json
from model.labelers.base import FitReport, Labeler, LabelerError, Pairs, Probabilities, Targets
from model.labelers.endpoint.budget import SharesBudget
from model.labelers.fitting import check_fit, compute_cross_entropy, hash_parts
from model.labelers.kinds import ENSEMBLE
from model.labelers.partial import Answers, predict_some
from model.labelers.store import MODULES
from model.labelers.vectors import ReadsVectors, Vector

SETTINGS = f"{ENSEMBLE}.json"
STEPS = 10
"""Shares are tenths: a hundredth more of a member changes no figure by more than its interval."""
Shares = tuple[float, ...]


class Ensemble:
    """The weighted mean of its members' probabilities."""

    kind = ENSEMBLE

    def __init__(self, conf: EnsembleConf, members: Sequence[Labeler]) -> None:
        """
        Args:
            members: one labeler for each kind of `conf.members`, in their order.
        """
        self._conf, self._members = conf, tuple(members)
        self._shares: Shares | None = None

    @property
    def members(self) -> tuple[Labeler, ...]:
        """The labelers, in the order of the shares."""
        return self._members

    @property
    def shares(self) -> Shares:
        """Share of each member; they add up to 1.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        if self._shares is None:
            raise LabelerError("the labeler is not fitted")
        return self._shares

    @property
    def prompt_hash(self) -> str | None:
        """The prompt hash of the members; of several, a hash over them; None where none has one."""
        hashes = [h for member in self._members if (h := member.prompt_hash) is not None]
        if len(hashes) < 2:
            return hashes[0] if hashes else None
        return short_hash("".join(hashes))

    @property
    def version(self) -> str:
        """Hash of the members' versions and their shares.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        shares = self.shares
        versions = [member.version for member in self._members]
        return hash_parts({"kind": self.kind, "members": versions, "shares": shares})

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Fit every member, then choose the shares of the least validation loss.

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or a member cannot be fitted.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        reports = [member.fit(pairs, targets, validation) for member in self._members]
        answers = [
            member.predict(validation[0]) if report.validation is None else report.validation
            for report, member in zip(reports, self._members, strict=True)
        ]
        fixed = self._conf.shares
        losses = {
            shares: compute_cross_entropy(average_answers(answers, shares), validation[1])
            for shares in ([fixed] if fixed else list_shares(len(answers), STEPS))
        }
        self._shares = min(losses, key=lambda shares: losses[shares])
        kinds = [member.kind for member in self._members]
        details = {
            "shares": dict(zip(kinds, self._shares, strict=True)),
            "validation_loss": losses[self._shares],
            "members": {kind: r.details for kind, r in zip(kinds, reports, strict=True)},
        }
        seconds = time.monotonic() - started
        count = max(report.pairs for report in reports)
        return FitReport(count, seconds, details, average_answers(answers, self._shares))

    def predict(self, pairs: Pairs) -> Probabilities:
        """Average the members' answers to the pairs, in their order; a member of no share is not
        asked.

        Raises:
            LabelerError: the labeler is not fitted, or a member has no answer for a pair.
        """
        asked = self._list_asked()
        answers = [member.predict(pairs) for member, _ in asked]
        return average_answers(answers, [share for _, share in asked])

    def predict_some(self, pairs: Pairs) -> Answers:
        """Average the members' answers; where a member has none there is none, for its reason.

        The mean of the others would be that of another labeler.
        """
        asked = self._list_asked()
        answers = [predict_some(member, pairs) for member, _ in asked]
        reasons = [
            next((reason for reason in of_pair if reason is not None), None)
            for of_pair in zip(*(answer.reasons for answer in answers), strict=True)
        ]
        answered = np.array([reason is None for reason in reasons], bool)
        ge_1, ge_2 = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
        read = [Probabilities(a.p_ge_1[answered], a.p_ge_2[answered]) for a in answers]
        mean = average_answers(read, [share for _, share in asked])
        ge_1[answered], ge_2[answered] = mean.p_ge_1, mean.p_ge_2
        suspected = np.any([answer.suspected for answer in answers], axis=0)
        return Answers(ge_1, ge_2, reasons, suspected)

    @property
    def encoder_version(self) -> str | None:
        """Version of the encoder whose vectors members read; None: they read none."""
        return next((member.encoder_version for member in self._list_readers()), None)

    def add_vectors(self, vectors: Mapping[str, Vector]) -> None:
        """Hand unit vectors [D] by text to the members that read any."""
        for member in self._list_readers():
            member.add_vectors(vectors)

    def save(self, folder: Path) -> None:
        """Write the shares, and every member into a folder of its own."""
        content = {"conf": self._conf.model_dump(mode="json"), "shares": self.shares}
        write_json(folder / SETTINGS, content)
        for kind, member in zip(self._conf.members, self._members, strict=True):
            (folder / kind).mkdir()
            member.save(folder / kind)

    def restore(self, shares: Shares) -> None:
        """Take the shares of fitted members."""
        self._shares = shares

    def share_budget(self, processes: int) -> None:
        """Divide the budgets of members that have one among so many processes."""
        for member in self._members:
            if isinstance(member, SharesBudget):
                member.share_budget(processes)

    def _list_asked(self) -> list[tuple[Labeler, float]]:
        together = zip(self._members, self.shares, strict=True)
        return [(member, share) for member, share in together if share > 0]

    def _list_readers(self) -> list[ReadsVectors]:
        """List the members that are asked and read vectors."""
        readers = [member for member, _ in self._list_asked() if isinstance(member, ReadsVectors)]
        return [member for member in readers if member.encoder_version is not None]


def list_shares(members: int, steps: int) -> list[Shares]:
    """List all shares that are multiples of 1 / steps and add up to 1."""
    counts = product(range(steps + 1), repeat=members - 1)
    return [
        tuple(count / steps for count in (*some, steps - sum(some)))
        for some in counts
        if sum(some) <= steps
    ]


def average_answers(answers: Sequence[Probabilities], shares: Sequence[float]) -> Probabilities:
    """Average both thresholds by the shares, which keeps their order."""
    ge_1 = np.sum([s * p.p_ge_1 for s, p in zip(shares, answers, strict=True)], axis=0)
    ge_2 = np.sum([s * p.p_ge_2 for s, p in zip(shares, answers, strict=True)], axis=0)
    return Probabilities(ge_1.clip(0, 1), np.minimum(ge_1, ge_2).clip(0, 1))


def build(conf: Conf) -> Ensemble:
    """Build an unfitted ensemble of unfitted members."""
    chosen = conf.labeler.ensemble
    return Ensemble(chosen, [import_module(MODULES[kind]).build(conf) for kind in chosen.members])


def load(folder: Path) -> Ensemble:
    """Load the ensemble that `save` wrote.

    Raises:
        LabelerError: a file of a member cannot be read.
    """
    content = read_json(folder / SETTINGS, LabelerError)
    conf = EnsembleConf(**content["conf"])
    members = [import_module(MODULES[kind]).load(folder / kind) for kind in conf.members]
    labeler = Ensemble(conf, members)
    labeler.restore(tuple(content["shares"]))
    return labeler
