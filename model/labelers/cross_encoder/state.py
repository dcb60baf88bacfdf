"""What a fitted cross-encoder consists of, how it predicts, and its files.

inputs.json (token frequencies, encoder of the cosine), trees.json, graded.safetensors (see
`graded`), the encoder's config.json and tokenizer files, model.safetensors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from conf.sections.labelers.cross_encoder import CrossEncoderConf
from model.labelers.base import Floats, LabelerError, Pairs, Probabilities, Targets
from model.labelers.cross_encoder.encoder_base import read_tokenizer, trunk_of_config
from model.labelers.cross_encoder.graded import Graded
from model.labelers.cross_encoder.pair_data import PairData
from model.labelers.cross_encoder.pair_encoder import PairEncoder, chain_probabilities
from model.labelers.cross_encoder.pair_tokens import PairTokenizer
from model.labelers.cross_encoder.training import Training, device, logits_of
from model.labelers.fitting import pair_losses
from model.labelers.lexical.boosting import Boosters, Matrix
from model.labelers.lexical.inputs import LexicalInputs
from model.text.encoder import resolve_dtype

WEIGHTS, INPUTS, TREES, STATE = "model.safetensors", "inputs.json", "trees.json", "state.json"
GRADED = "graded.safetensors"
_PART = 2_048
"""Pairs that are read together: of so many the texts taken apart are remembered (count)."""


@dataclass(frozen=True)
class CrossState:
    """A fitted network, the trees beside it, and what turns texts into their inputs.

    Attributes:
        network: its encoder in the arithmetic `dtype`, ready to predict.
        boosters: None: no trees.
        graded: what else the trees see of the training pairs; None: nothing.
        tree_share: share of the trees in the probabilities, 0 to 1.
        dtype: float32 or bfloat16.
        origin: further JSON-able facts that make the version (base model, data).
    """

    inputs: LexicalInputs
    tokenizer: PairTokenizer
    network: PairEncoder
    boosters: Boosters | None
    tree_share: float
    dtype: str
    origin: Mapping[str, Any]
    graded: Graded | None = None

    def predict(self, pairs: Pairs, conf: CrossEncoderConf) -> Probabilities:
        """Probabilities of the pairs, in their order."""
        parts = [
            self._predict_some(pairs.take(np.arange(start, min(start + _PART, len(pairs)))), conf)
            for start in range(0, len(pairs), _PART)
        ]
        first = np.concatenate([np.zeros(0), *(part.p_ge_1 for part in parts)])
        second = np.concatenate([np.zeros(0), *(part.p_ge_2 for part in parts)])
        return Probabilities(first, second)

    def _predict_some(self, pairs: Pairs, conf: CrossEncoderConf) -> Probabilities:
        features = self.inputs.matrix(pairs)
        trees = None
        if self.boosters is not None and self.tree_share > 0:
            trees = self.boosters.predict(tree_features(self.graded, pairs, features, self.inputs))
            if self.tree_share == 1:
                return trees
        read = self.read(pairs, features, conf)
        if trees is None:
            return Probabilities(read[:, 0], read[:, 1])
        return mixed(read, trees, self.tree_share)

    def read(self, pairs: Pairs, features: Matrix, conf: CrossEncoderConf) -> Floats:
        """[N, 2] probabilities of the network alone."""
        nothing = Targets(*(np.zeros(len(pairs)) for _ in range(3)))
        tokens = self.tokenizer.tokens(pairs)
        data = PairData.of(tokens, network_features(features, conf), nothing)
        run = Training(conf, self.tokenizer, autocast=False, device=device(), seed=0)
        return chain_probabilities(logits_of(self.network, data, run))


@dataclass(frozen=True)
class ShareChoice:
    """Chooses the share of the trees on validation pairs.

    Attributes:
        trees: what they say of the pairs; None: there are none.
        targets: soft grades of the pairs.
        shares: that are tried.
    """

    trees: Probabilities | None
    targets: Targets
    shares: tuple[float, ...]

    def losses(self, read: Floats) -> dict[float, float]:
        """Mean loss (nats) by share, from the network's probabilities [N, 2]."""
        weight = self.targets.weight
        return {s: float(np.average(found, weights=weight)) for s, found in self._all(read).items()}

    def pair_losses(self, logits: Tensor) -> Floats:
        """[N] losses (nats) at the best share, from the network's logits [N, 2]."""
        by_share = self._all(chain_probabilities(logits))
        return min(
            by_share.values(), key=lambda found: np.average(found, weights=self.targets.weight)
        )

    def answers(self, read: Floats, share: float) -> Probabilities:
        """What the mixture of that share says, from the network's probabilities [N, 2]."""
        if self.trees is None:
            return Probabilities(read[:, 0], read[:, 1])
        return mixed(read, self.trees, share)

    def _all(self, read: Floats) -> dict[float, Floats]:
        shares = (0.0,) if self.trees is None else self.shares
        return {s: pair_losses(self.answers(read, s), self.targets) for s in shares}


def tree_features(
    graded: Graded | None, pairs: Pairs, features: Matrix, inputs: LexicalInputs
) -> Matrix:
    """What the trees see: the features [N, F], and those of the graded pairs."""
    if graded is None:
        return features
    return np.column_stack([features, graded.features(pairs, inputs)])


def mixed(read: Floats, trees: Probabilities, share: float) -> Probabilities:
    """(1 - share) x network + share x trees; the order of the two thresholds holds in both."""
    first = (1 - share) * read[:, 0] + share * trees.p_ge_1
    second = (1 - share) * read[:, 1] + share * trees.p_ge_2
    return Probabilities(first, np.minimum(first, second))


def network_features(features: Matrix, conf: CrossEncoderConf) -> Matrix:
    """The features that the head sees: all, or none of them."""
    return features if conf.lexical_features else features[:, :0]


def ready(network: PairEncoder, dtype: str) -> PairEncoder:
    """The network with its encoder in `dtype`, the head in float32, set to predict."""
    network.trunk.to(getattr(torch, dtype))
    return network.to(device()).eval()


def save_state(state: CrossState, folder: Path) -> None:
    """Write all files into an existing empty folder."""
    trees = None if state.boosters is None else state.boosters.as_json()
    entries = {
        "tree_share": state.tree_share,
        "dtype": state.dtype,
        "graded": state.graded is not None,
        "origin": dict(state.origin),
    }
    content = {INPUTS: state.inputs.as_json(), TREES: trees, STATE: entries}
    for name, value in content.items():
        (folder / name).write_text(json.dumps(value) + "\n", encoding="utf-8")
    if state.graded is not None:
        state.graded.save(folder / GRADED)
    state.network.trunk.config.save_pretrained(folder)
    state.tokenizer.tokenizer.save_pretrained(folder)
    tensors = {name: t.contiguous().cpu() for name, t in state.network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)


def load_state(folder: Path, conf: CrossEncoderConf) -> CrossState:
    """What `save_state` wrote.

    Raises:
        LabelerError: a file is missing, damaged or does not fit the others.
    """
    entries, trees = read_json(folder / STATE), read_json(folder / TREES)
    inputs = LexicalInputs.from_json(read_json(folder / INPUTS))
    width = len(inputs.names) if conf.lexical_features else 0
    network = PairEncoder(trunk_of_config(folder), width, conf)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise LabelerError(
            f"labeler weights in {folder} cannot be read (another version of this code saved them? "
            f"fit anew): {error}"
        ) from error
    native = resolve_dtype("auto")
    return CrossState(
        inputs=inputs,
        tokenizer=PairTokenizer(read_tokenizer(folder), conf.max_tokens, conf.marks),
        # Weights in bfloat16 are computed in float32 where the machine has no bfloat16.
        network=ready(network, entries["dtype"] if native == "bfloat16" else "float32"),
        boosters=None if trees is None else Boosters.from_json(trees),
        tree_share=float(entries["tree_share"]),
        dtype=entries["dtype"],
        origin=entries["origin"],
        graded=Graded.load(folder / GRADED) if entries["graded"] else None,
    )


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        LabelerError: it is missing or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, json.JSONDecodeError) as error:
        raise LabelerError(f"labeler file {path} cannot be read: {error}") from error
