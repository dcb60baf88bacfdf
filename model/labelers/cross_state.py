"""What a fitted cross-encoder consists of, how it predicts, and its files.

inputs.json (token frequencies, encoder of the cosine), trees.json, neighbours.safetensors (graded
pairs), the encoder's config.json and tokenizer files, model.safetensors.
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

from conf.sections.labelers.cross_encoder import CrossEncoderConf
from model.encoder import resolve_dtype
from model.labelers.base import Floats, LabelerError, Pairs, Probabilities, Targets
from model.labelers.boosting import Boosters, Matrix
from model.labelers.cross_training import Training, device, logits_of
from model.labelers.encoder_base import read_tokenizer, trunk_of_config
from model.labelers.lexical_inputs import LexicalInputs
from model.labelers.neighbours import Neighbours
from model.labelers.pair_data import PairData
from model.labelers.pair_encoder import PairEncoder, chain_probabilities
from model.labelers.pair_tokens import PairTokenizer

WEIGHTS, INPUTS, TREES, STATE = "model.safetensors", "inputs.json", "trees.json", "state.json"
NEIGHBOURS = "neighbours.safetensors"


@dataclass(frozen=True)
class CrossState:
    """A fitted network, the trees beside it, and what turns texts into their inputs.

    Attributes:
        network: its encoder in the arithmetic `dtype`, ready to predict.
        boosters: None: no trees.
        neighbours: graded pairs whose features the trees see, too; None: none.
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
    neighbours: Neighbours | None = None

    def predict(self, pairs: Pairs, conf: CrossEncoderConf) -> Probabilities:
        """Probabilities of the pairs, in their order."""
        if len(pairs) == 0:
            return Probabilities(np.zeros(0), np.zeros(0))
        features = self.inputs.matrix(pairs)
        trees = None
        if self.boosters is not None and self.tree_share > 0:
            trees = self.boosters.predict(self.tree_features(pairs, features))
            if self.tree_share == 1:
                return trees
        read = self.read(pairs, features, conf)
        if trees is None:
            return Probabilities(read[:, 0], read[:, 1])
        return mixed(read, trees, self.tree_share)

    def tree_features(self, pairs: Pairs, features: Matrix) -> Matrix:
        """What the trees see: the features [N, F], and those of the neighbours."""
        if self.neighbours is None:
            return features
        near = self.neighbours.features(pairs, *self.inputs.vectors(pairs))
        return np.column_stack([features, near])

    def read(self, pairs: Pairs, features: Matrix, conf: CrossEncoderConf) -> Floats:
        """[N, 2] probabilities of the network alone."""
        nothing = Targets(*(np.zeros(len(pairs)) for _ in range(3)))
        tokens = self.tokenizer.tokens(pairs)
        data = PairData.of(tokens, network_features(features, conf), nothing)
        run = Training(conf, self.tokenizer, autocast=False, device=device(), seed=0)
        return chain_probabilities(logits_of(self.network, data, run))


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
    entries = {"tree_share": state.tree_share, "dtype": state.dtype, "origin": dict(state.origin)}
    content = {INPUTS: state.inputs.as_json(), TREES: trees, STATE: entries}
    for name, value in content.items():
        (folder / name).write_text(json.dumps(value) + "\n", encoding="utf-8")
    if state.neighbours is not None:
        state.neighbours.save(folder / NEIGHBOURS)
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
        raise LabelerError(f"labeler weights in {folder} cannot be read: {error}") from error
    native = resolve_dtype("auto")
    return CrossState(
        inputs=inputs,
        tokenizer=PairTokenizer(read_tokenizer(folder), conf.max_tokens),
        # Weights in bfloat16 are computed in float32 where the machine has no bfloat16.
        network=ready(network, entries["dtype"] if native == "bfloat16" else "float32"),
        boosters=None if trees is None else Boosters.from_json(trees),
        tree_share=float(entries["tree_share"]),
        dtype=entries["dtype"],
        origin=entries["origin"],
        neighbours=Neighbours.load(folder / NEIGHBOURS) if trees and conf.neighbours else None,
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
