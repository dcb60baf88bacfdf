"""The labeler `causal_lm`: a language model read in its middle, not asked at its end.

A causal model's judgement of a pair sits in its middle layers, and reading it there costs one
pass through part of the model, no generation. Validation pairs choose the layer.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from conf.schema import Conf
from conf.sections.labelers.causal_lm import CausalLmConf
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.causal_lm.base import BaseModel, find_base
from model.labelers.causal_lm.lora import (
    LoraTraining,
    TokenSet,
    adapter_state,
    add_adapters,
    merge_adapters,
    set_adapter_state,
)
from model.labelers.causal_lm.probe import Choice, Probe, choose_probe, labels_of
from model.labelers.causal_lm.tokens import PairTokens, batches, padded
from model.labelers.causal_lm.trunk import Trunk, load_model, load_tokenizer
from model.labelers.fitting import check_fit, data_digest, version_of
from model.labelers.partial import Answers
from model.labelers.prompt import Template, read_template, suspected_pairs
from model.text.encoder import resolve_dtype

SETTINGS = "causal_lm.json"
PROBE = "probe.safetensors"
ADAPTERS = "adapters.safetensors"
_PLACE = {"path", "package", "sha256", "cache", "batch_tokens"}
"""Conf that says where the base model is and how fast it runs: no part of a version."""


class CausalLm:
    """A causal language model, cut at a layer, with an ordinal probe and LoRA."""

    kind = "causal_lm"

    def __init__(self, conf: CausalLmConf, template: Template | None = None) -> None:
        """Nothing is read from the base model before `fit` or `load`."""
        self._conf = conf
        self._template = template or read_template(conf.prompt)
        self._base: BaseModel | None = None
        self._fitted: dict[str, Any] = {}
        self._adapters: dict[str, Tensor] = {}

    @property
    def prompt_hash(self) -> str:
        """Hash of the template."""
        return self._template.hash

    @property
    def version(self) -> str:
        """Hash of base model, template, data, conf, and what was chosen.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        self._check_fitted()
        conf = self._conf.model_dump(mode="json", exclude=_PLACE)
        parts = {"kind": self.kind, "prompt": self.prompt_hash, "conf": conf, **self._fitted}
        return version_of(parts)

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Choose layer and probe on `validation`, then train adapters where the conf wants them.

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or the base model cannot be
                used.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        self._open(max(self._conf.layers))
        rows, judged = self._tokens(pairs), self._tokens(validation[0])
        choice = self._choose(rows, judged, targets, validation[1])
        self._set(choice, data_digest(pairs, targets), data_digest(*validation))
        details = {"layer": choice.layer, "ridge": choice.ridge, "validation_loss": choice.tried}
        if self._conf.lora.epochs > 0:
            train = TokenSet(rows, *labels_of(targets))
            details |= self._adapt(train, TokenSet(judged, *labels_of(validation[1])))
        details["suspected_injections"] = int(suspected_pairs(pairs).sum())
        return FitReport(len(pairs), time.monotonic() - started, details)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Probabilities of the pairs, in their order; an empty text reads "(empty)"."""
        self._check_fitted()
        features = self._features(self._tokens(pairs), (self._fitted["layer"],))
        with torch.inference_mode():
            found = self._probe.probabilities(features[self._fitted["layer"]]).numpy()
        return Probabilities(found[:, 0], found[:, 1])

    def predict_some(self, pairs: Pairs) -> Answers:
        """As `predict`, with the pairs marked whose text looks like an order to the reader."""
        found = self.predict(pairs)
        return Answers(found.p_ge_1, found.p_ge_2, [None] * len(pairs), suspected_pairs(pairs))

    def save(self, folder: Path) -> None:
        """Write settings, probe and adapters; the base model by its sha256 only."""
        self._check_fitted()
        content = {
            "conf": self._conf.model_dump(mode="json"),
            "template": asdict(self._template),
            "fitted": self._fitted,
        }
        text = json.dumps(content, indent=1) + "\n"
        (folder / SETTINGS).write_text(text, encoding="utf-8")
        save_file(dict(self._probe.state_dict()), folder / PROBE)
        if self._adapters:
            save_file(self._adapters, folder / ADAPTERS)

    def restore(self, fitted: dict[str, Any], probe: Probe, adapters: dict[str, Tensor]) -> None:
        """Take a fitted state and open the base model that it belongs to.

        Raises:
            LabelerError: the base model is another one.
        """
        self._fitted, self._probe, self._adapters = fitted, probe, adapters
        base = find_base(self._conf)
        if base.sha256 != fitted["base_sha256"]:
            raise LabelerError(
                f"base model {base.folder} has sha256 {base.sha256}, the labeler was fitted on "
                f"{fitted['base_sha256']}"
            )
        self._open(fitted["layer"], base)
        if adapters:
            add_adapters(self._trunk, self._conf.lora)
            set_adapter_state(self._trunk, adapters)
            merge_adapters(self._trunk)

    def _open(self, layers: int, base: BaseModel | None = None) -> None:
        """Read the first layers of the base model, and its tokenizer."""
        self._base = base or find_base(self._conf)
        model = load_model(self._base, layers, resolve_dtype(self._conf.dtype))
        self._tokens = PairTokens(load_tokenizer(self._base), self._template, self._conf)
        self._trunk = Trunk(model, self._tokens.prefix, self._conf.pooling)
        self._trunk.to("cuda" if torch.cuda.is_available() else "cpu")

    def _choose(
        self, rows: list[list[int]], judged: list[list[int]], known: Targets, labels: Targets
    ) -> Choice:
        layers = tuple(sorted(set(self._conf.layers)))
        train, validation = self._features(rows, layers), self._features(judged, layers)
        return choose_probe(train, validation, (known, labels), self._conf.ridges)

    def _set(self, choice: Choice, data: str, validation: str) -> None:
        assert self._base is not None
        self._probe, self._adapters = choice.probe, {}
        self._fitted = {
            "base_sha256": self._base.sha256,
            "layer": choice.layer,
            "data": data,
            "validation": validation,
        }

    def _adapt(self, train: TokenSet, validation: TokenSet) -> dict[str, Any]:
        """Train adapters on the layers up to the chosen one; keep them only if they help.

        The report has the validation loss by epoch, and once more as the labeler then predicts,
        with the adapters rounded into the weights.
        """
        layer = self._fitted["layer"]
        self._open(layer, self._base)
        lora = LoraTraining(
            self._trunk, self._probe, layer, self._tokens.pad, self._conf.lora, self._conf.seed
        )
        losses = lora.run(train, validation)
        self._adapters = adapter_state(self._trunk) if min(losses) < losses[0] else {}
        merge_adapters(self._trunk)
        return {"lora_loss": losses, "merged_loss": lora.loss(validation)}

    @torch.inference_mode()
    def _features(self, rows: Sequence[list[int]], layers: tuple[int, ...]) -> dict[int, Tensor]:
        """Pooled states [N, D] of the layers, in the order of the rows."""
        out = {layer: torch.empty(len(rows), self._trunk.dimension) for layer in layers}
        prefix = self._trunk.prefix()
        for at in batches([len(row) for row in rows], self._conf.batch_tokens):
            ids, lengths = padded([rows[i] for i in at], self._tokens.pad)
            for layer, found in self._trunk(ids, lengths, prefix, layers).items():
                out[layer][np.asarray(at)] = found.cpu()
        return out

    def _check_fitted(self) -> None:
        if not self._fitted:
            raise LabelerError("the labeler is not fitted; call `fit` or load a saved one")


def build(conf: Conf) -> CausalLm:
    """An unfitted labeler of the conf's section.

    Raises:
        LabelerError: the template of the conf cannot be read.
    """
    return CausalLm(conf.labeler.causal_lm)


def load(folder: Path) -> CausalLm:
    """Read what `CausalLm.save` wrote.

    Raises:
        LabelerError: a file is missing or damaged, or the base model is not there or another one.
    """
    try:
        content = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        conf = CausalLmConf.model_validate(content["conf"])
        template, fitted = Template.from_json(content["template"]), content["fitted"]
        state = load_file(folder / PROBE)
        adapters = load_file(folder / ADAPTERS) if (folder / ADAPTERS).is_file() else {}
        probe = Probe(len(state["mean"]))
        probe.load_state_dict(state)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise LabelerError(f"labeler at {folder} cannot be read: {error}") from error
    labeler = CausalLm(conf, template)
    labeler.restore(fitted, probe, adapters)
    return labeler
