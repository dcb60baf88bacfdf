"""The labeler `causal_lm`: a language model that is read in its middle instead of asked at its end.

A causal model's judgement of a pair sits in its middle layers; reading it there costs one pass
through a part of the model, and no generation. First a linear head is fitted on what is read; then,
by conf, low-rank adapters (peft) are trained, and validation pairs choose the epoch, the start
included. Files: causal_lm.json, learnt.safetensors (head, adapters); the base model is not copied.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from conf.schema import Conf
from conf.sections.labelers.causal_lm import CausalLmConf
from model.files import read_json, write_json
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.causal_lm.base import find_base
from model.labelers.causal_lm.network import PromptReader
from model.labelers.causal_lm.prompts import PromptTokens
from model.labelers.fitting import check_fit, hash_data, hash_parts
from model.labelers.kinds import CAUSAL_LM
from model.labelers.network.base_model import BaseModel, read_tokenizer, read_trunk
from model.labelers.network.machine import FineTuning, choose_device, fix_seed, use_threads
from model.labelers.network.reading import (
    compute_logits,
    compute_losses,
    compute_probabilities,
    read_all,
)
from model.labelers.network.token_pairs import TokenPairs
from model.labelers.network.training import copy_learnt, fine_tune
from model.labelers.partial import Answers
from model.labelers.prompt import Template, mark_suspected, read_template
from model.text.encoder import resolve_dtype

SETTINGS, LEARNT = f"{CAUSAL_LM}.json", "learnt.safetensors"
_HOW = {
    *("path", "package", "sha256", "cache"),
    *("predict_batch_size", "threads", "accumulation", "checkpointing"),
}
"""Conf that says where the base model is and in what time and memory it runs: no part of a
version."""


class CausalLm:
    """A causal language model, read behind one of its layers, with an ordinal head and LoRA."""

    kind = CAUSAL_LM

    def __init__(self, conf: CausalLmConf, seed: int, template: Template | None = None) -> None:
        """Nothing is read from the base model before `fit` or `load`."""
        self._conf, self._seed = conf, seed
        self._template = template or read_template(conf.prompt)
        self._origin: dict[str, Any] = {}

    @property
    def prompt_hash(self) -> str:
        """Hash of the template."""
        return self._template.hash

    @property
    def version(self) -> str:
        """Hash of base model, template, data, conf and seed.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        self._check_fitted()
        conf = self._conf.model_dump(mode="json", exclude=_HOW)
        fixed = {"kind": self.kind, "prompt": self.prompt_hash, "conf": conf, "seed": self._seed}
        return hash_parts(fixed | self._origin)

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Fit the head, then train adapters where the conf wants them.

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or the base model cannot be
                used.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        base = find_base(self._conf)
        self._open_base(base, resolve_dtype(self._conf.dtype))
        train, judged = self._tokenise(pairs, targets), self._tokenise(*validation)
        history = self._fit_network(train, judged)
        self._origin = {
            "base_sha256": base.sha256,
            "layers": base.layers,
            "dtype": resolve_dtype(self._conf.dtype),
            "data": [hash_data(pairs, targets), hash_data(*validation)],
        }
        suspected = int(mark_suspected(pairs).sum())
        details = {"layers": base.layers, "epochs": history, "suspected_injections": suspected}
        return FitReport(len(pairs), time.monotonic() - started, details)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the probabilities of the pairs, in their order; an empty text reads "(empty)"."""
        self._check_fitted()
        return compute_probabilities(
            compute_logits(self._network, self._tokenise(pairs), self._build_run())
        )

    def predict_some(self, pairs: Pairs) -> Answers:
        """Predict, and mark the pairs whose text looks like an order to the reader."""
        read = self.predict(pairs)
        return Answers(read.p_ge_1, read.p_ge_2, [None] * len(pairs), mark_suspected(pairs))

    def save(self, folder: Path) -> None:
        """Write settings, head and adapters; the base model by its sha256 only."""
        self._check_fitted()
        conf, template = self._conf.model_dump(mode="json"), asdict(self._template)
        content = {"conf": conf, "template": template, "seed": self._seed, "origin": self._origin}
        write_json(folder / SETTINGS, content)
        save_file(self._list_learnt(), folder / LEARNT)

    def restore(self, origin: dict[str, Any], learnt: dict[str, Tensor]) -> None:
        """Take a fitted state, on the base model that it belongs to; errors as of `load`."""
        base = find_base(self._conf)
        if base.sha256 != origin["base_sha256"]:
            raise LabelerError(
                f"base model {base.folder} has sha256 {base.sha256}, the labeler was fitted on "
                f"{origin['base_sha256']}"
            )
        self._open_base(base, origin["dtype"])
        if self._conf.epochs > 0:
            self._network.add_adapters(self._conf.lora)
        if set(learnt) != set(self._list_learnt()):
            raise LabelerError("the saved head and adapters are not those of this base model")
        self._network.load_state_dict(learnt, strict=False)
        self._network.to(choose_device())
        self._origin = origin

    def _open_base(self, base: BaseModel, dtype: str) -> None:
        """Read the first layers of the base model, and its tokenizer."""
        self._prompts = PromptTokens(read_tokenizer(base.folder), self._template, self._conf)
        trunk = read_trunk(base, dtype)
        self._network = PromptReader(trunk, self._prompts.prefix, self._conf.checkpointing)
        self._network.to(choose_device()).eval()

    def _fit_network(self, train: TokenPairs, judged: TokenPairs) -> list[dict[str, float]]:
        """Fit the head, then the adapters; validation losses (nats) by epoch, 0 the head alone."""
        network, run = self._network, self._build_run()
        with use_threads(self._conf.threads):
            network.fit_head(read_all(network.pool_states, train, run), train, self._conf.ridge)
        if self._conf.epochs == 0:
            losses = compute_losses(compute_logits(network, judged, run), judged)
            mean = float(np.average(losses, weights=judged.targets.weight))
            return [{"epoch": 0, "validation_loss": mean}]
        with fix_seed(self._seed):
            network.add_adapters(self._conf.lora)
        tuning = self._build_run(autocast=resolve_dtype(self._conf.dtype) == "bfloat16")
        return fine_tune(network, train, judged, tuning, judge_start=True).history

    def _list_learnt(self) -> dict[str, Tensor]:
        standardising = {"mean": self._network.mean.cpu(), "scale": self._network.scale.cpu()}
        return copy_learnt(self._network) | standardising

    def _tokenise(self, pairs: Pairs, targets: Targets | None = None) -> TokenPairs:
        return TokenPairs.from_tokens(self._prompts.tokenise(pairs), self._prompts.fillers, targets)

    def _build_run(self, autocast: bool = False) -> FineTuning:
        return FineTuning(self._conf, autocast, choose_device(), self._seed)

    def _check_fitted(self) -> None:
        if not self._origin:
            raise LabelerError("the labeler is not fitted; call `fit` or load a saved one")


def build(conf: Conf) -> CausalLm:
    """Build an unfitted labeler of the conf's section.

    Raises:
        LabelerError: the template of the conf cannot be read.
    """
    return CausalLm(conf.labeler.causal_lm, conf.seed)


def load(folder: Path) -> CausalLm:
    """Read what `CausalLm.save` wrote.

    Raises:
        LabelerError: a file is missing or damaged, or the base model is not there or another one.
    """
    try:
        content = read_json(folder / SETTINGS, LabelerError)
        conf = CausalLmConf.model_validate(content["conf"])
        template = Template.from_json(content["template"])
        labeler = CausalLm(conf, content["seed"], template)
        origin, learnt = content["origin"], load_file(folder / LEARNT)
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise LabelerError(f"labeler at {folder} cannot be read: {error}") from error
    labeler.restore(origin, learnt)
    return labeler
