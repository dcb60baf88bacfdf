"""The labeler `cross_encoder`: an encoder reads query and item together, with an ordinal head.

Files: cross_encoder.json (conf, seed, origin), the encoder's config.json and tokenizer files,
model.safetensors.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from conf.schema import Conf
from conf.sections.features import EncoderConf
from conf.sections.labelers import CrossEncoderConf
from model.files import read_json, write_json
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.cross_encoder.base import ATTENTION, find_base, read_encoder
from model.labelers.cross_encoder.network import PairEncoder
from model.labelers.cross_encoder.tokens import PairTokenizer
from model.labelers.fitting import check_fit, hash_data, hash_parts
from model.labelers.kinds import CROSS_ENCODER
from model.labelers.network.base_model import BaseModel, build_trunk, read_tokenizer
from model.labelers.network.machine import FineTuning, choose_device, fix_seed
from model.labelers.network.reading import compute_logits, compute_probabilities
from model.labelers.network.token_pairs import TokenPairs
from model.labelers.network.training import fine_tune, repeat_fine_tuning
from model.text.encoder import resolve_dtype

SETTINGS, WEIGHTS = f"{CROSS_ENCODER}.json", "model.safetensors"
_SPEED = {"path", "threads", "predict_batch_size", "accumulation"}
"""Conf that says where the base model is and how fast it runs: no part of a version."""


@dataclass(frozen=True)
class FittedEncoder:
    """What a fit leaves.

    Attributes:
        network: its encoder in the arithmetic that was fitted, ready to predict.
        origin: further JSON-able facts that make the version (base model, data, arithmetic).
    """

    network: PairEncoder
    tokenizer: PairTokenizer
    origin: Mapping[str, Any]


class CrossEncoderLabeler:
    """An encoder over query and item."""

    kind = CROSS_ENCODER

    def __init__(self, conf: CrossEncoderConf, encoder: EncoderConf, seed: int) -> None:
        """Nothing is read before `fit` or `load`; `encoder` is the default base model."""
        self._conf, self._encoder, self._seed = conf, encoder, seed
        self._state: FittedEncoder | None = None

    @property
    def prompt_hash(self) -> None:
        """None: no prompt is read."""
        return None

    @property
    def version(self) -> str:
        """Hash of base model, data and conf.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        origin = dict(self._require_fitted().origin)
        conf = self._conf.model_dump(mode="json", exclude=_SPEED)
        return hash_parts({"kind": self.kind, "origin": origin, "conf": conf, "seed": self._seed})

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Fine-tune the network; `validation` chooses the epoch.

        By conf as many epochs are then learnt again from all pairs.

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or the base model cannot be
                used.
            EncoderError: the installed encoder is absent or not the expected one.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        base, dtype = find_base(self._conf, self._encoder), resolve_dtype(self._conf.dtype)
        tokenizer = self._read_tokenizer(base.folder)
        train, judged = (
            _tokenise(pairs, tokenizer, targets),
            _tokenise(validation[0], tokenizer, validation[1]),
        )
        run = FineTuning(self._conf, dtype == "bfloat16", choose_device(), self._seed)
        network = self._build_network(base, train)
        chosen = fine_tune(network, train, judged, run)
        digests = [hash_data(pairs, targets), hash_data(*validation)]
        origin = {
            "base_sha256": base.sha256,
            "layers": base.layers,
            "data": digests,
            "dtype": dtype,
        }
        self._state = FittedEncoder(prepare_network(network, dtype), tokenizer, origin)
        details: dict[str, Any] = {"epochs": chosen.history, "device": choose_device()}
        if not self._conf.refit:
            return FitReport(len(pairs), time.monotonic() - started, details)
        answers = self.predict(validation[0])
        pairs, targets = pairs.followed_by(validation[0]), targets.followed_by(validation[1])
        train = _tokenise(pairs, tokenizer, targets)
        network = self._build_network(base, train)
        details["refit"] = repeat_fine_tuning(network, train, run, chosen)
        self._state = FittedEncoder(prepare_network(network, dtype), tokenizer, origin)
        return FitReport(len(pairs), time.monotonic() - started, details, answers)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the probabilities of the pairs, in their order.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        state = self._require_fitted()
        run = FineTuning(self._conf, autocast=False, device=choose_device(), seed=self._seed)
        return compute_probabilities(
            compute_logits(state.network, _tokenise(pairs, state.tokenizer), run)
        )

    def save(self, folder: Path) -> None:
        """Write settings, tokenizer and weights."""
        state = self._require_fitted()
        settings = {
            "conf": self._conf.model_dump(mode="json"),
            "encoder": self._encoder.model_dump(mode="json"),
            "seed": self._seed,
            "origin": dict(state.origin),
        }
        write_json(folder / SETTINGS, settings)
        state.network.trunk.config.save_pretrained(folder)
        state.tokenizer.tokenizer.save_pretrained(folder)
        tensors = {name: t.contiguous().cpu() for name, t in state.network.state_dict().items()}
        save_file(tensors, folder / WEIGHTS)

    def restore(self, folder: Path, origin: Mapping[str, Any]) -> None:
        """Take the weights that `save` wrote.

        Raises:
            LabelerError: a file is missing, damaged or does not fit the conf.
        """
        network = PairEncoder(build_trunk(folder, ATTENTION), self._conf)
        try:
            network.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise LabelerError(
                f"labeler weights in {folder} cannot be read (another version of this code saved "
                f"them? fit anew): {error}"
            ) from error
        # Weights in bfloat16 are computed in float32 where the machine has no bfloat16.
        dtype = origin["dtype"] if resolve_dtype("auto") == "bfloat16" else "float32"
        self._state = FittedEncoder(
            prepare_network(network, dtype), self._read_tokenizer(folder), origin
        )

    def _build_network(self, base: BaseModel, train: TokenPairs) -> PairEncoder:
        """Build a network that has learnt nothing but the rates of the labels."""
        with fix_seed(self._seed):
            network = PairEncoder(read_encoder(base, self._conf), self._conf)
        rates = (train.labels * train.weight.unsqueeze(1)).sum(dim=0) / train.weight.sum()
        network.start_at(float(rates[0]), float(rates[1]))
        network.freeze_parts(self._conf.frozen_layers)
        return network

    def _read_tokenizer(self, folder: Path) -> PairTokenizer:
        return PairTokenizer(read_tokenizer(folder), self._conf.max_tokens, self._conf.marks)

    def _require_fitted(self) -> FittedEncoder:
        if self._state is None:
            raise LabelerError("the labeler is not fitted")
        return self._state


def prepare_network(network: PairEncoder, dtype: str) -> PairEncoder:
    """Set the network to predict: its encoder in `dtype`, the head in float32."""
    network.trunk.to(getattr(torch, dtype))
    return network.to(choose_device()).eval()


def build(conf: Conf) -> CrossEncoderLabeler:
    """Build an unfitted labeler of a configuration."""
    return CrossEncoderLabeler(conf.labeler.cross_encoder, conf.encoder, conf.seed)


def load(folder: Path) -> CrossEncoderLabeler:
    """Load the labeler that `save` wrote.

    Raises:
        LabelerError: a file cannot be read.
    """
    settings = read_json(folder / SETTINGS, LabelerError)
    conf, encoder = CrossEncoderConf(**settings["conf"]), EncoderConf(**settings["encoder"])
    labeler = CrossEncoderLabeler(conf, encoder, settings["seed"])
    labeler.restore(folder, settings["origin"])
    return labeler


def _tokenise(pairs: Pairs, tokenizer: PairTokenizer, targets: Targets | None = None) -> TokenPairs:
    return TokenPairs.from_tokens(tokenizer.tokenise(pairs), tokenizer.fillers, targets)
