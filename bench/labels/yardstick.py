"""What a cross-encoder's base model alone does on this machine, in pairs per second.

A limit in minutes or in pairs per second holds for one machine. Taken as a share of what the bare
network does there, without features, trees, Spark, start-up and commits, it holds for any."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conf.load import SIMULATED, load_conf
from model.labelers.base import Pairs, Targets
from model.labelers.cross_encoder.base import find_base, read_encoder
from model.labelers.cross_encoder.labeler import prepare_network
from model.labelers.cross_encoder.network import PairEncoder
from model.labelers.cross_encoder.tokens import PairTokenizer
from model.labelers.network.base_model import read_tokenizer
from model.labelers.network.machine import FineTuning, choose_device, fix_seed, use_threads
from model.labelers.network.reading import compute_logits
from model.labelers.network.token_pairs import TokenPairs
from model.labelers.network.training import fine_tune
from model.text.encoder import resolve_dtype

LEARNT, READ = 1_600, 4_096
"""Pairs that are learnt from and read: some seconds each."""
SETTINGS = ("labeler.kind=cross_encoder", "labeler.cross_encoder.min_steps=1")
"""Before those that make it bare: one epoch, all layers, no marks, texts alone, all cores."""


@dataclass(frozen=True)
class Yardstick:
    """Pairs per second of the bare network on all cores.

    Attributes:
        learning: forward, backward and step, batches by length.
        reading: forward alone, sorted by length.
    """

    learning: float
    reading: float


def measure_bare_rates(pairs: Pairs, targets: Targets, settings: Sequence[str] = ()) -> Yardstick:
    """Learn from some of the pairs and read others, with all layers of the base model.

    Args:
        pairs: LEARNT + READ at least; a random part of them is taken.
        settings: as after `--set`.

    Raises:
        ValueError: there are fewer pairs.
    """
    if len(pairs) < LEARNT + READ:
        raise ValueError(f"{len(pairs):,} pairs, {LEARNT + READ:,} are needed")
    plain = ("epochs=1", "marks=false", "threads=0")
    names = [f"labeler.cross_encoder.{setting}" for setting in plain]
    tree = load_conf([SIMULATED], settings=[*SETTINGS, *settings, *names]).tree
    conf, seed = tree.labeler.cross_encoder, tree.seed
    base = replace(find_base(conf, tree.encoder), layers=None)
    tokenizer = PairTokenizer(read_tokenizer(base.folder), conf.max_tokens, marks=False)
    order = np.random.default_rng(seed).permutation(len(pairs))

    def tokenise(rows: NDArray[np.int64]) -> TokenPairs:
        tokens = tokenizer.tokenise(pairs.select_rows(rows))
        return TokenPairs.from_tokens(tokens, tokenizer.fillers, targets.select_rows(rows))

    learnt, read, one = (
        tokenise(order[:LEARNT]),
        tokenise(order[LEARNT:][:READ]),
        tokenise(order[:1]),
    )
    dtype = resolve_dtype(conf.dtype)
    with fix_seed(seed):
        network = PairEncoder(read_encoder(base, conf), conf)
    run = FineTuning(conf, dtype == "bfloat16", choose_device(), seed)
    learning = _measure_rate(LEARNT, lambda: fine_tune(network, learnt, one, run))
    fitted = prepare_network(network, dtype)
    with use_threads(conf.threads):
        reading = _measure_rate(READ, lambda: compute_logits(fitted, read, run))
    return Yardstick(learning, reading)


def _measure_rate(pairs: int, work: Callable[[], object]) -> float:
    """Measure pairs per second."""
    started = time.monotonic()
    work()
    return pairs / (time.monotonic() - started)
