"""An OpenAI-compatible server of the small packaged model, on loopback: llama.cpp by xllamacpp."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from conf.sections.labelers import CausalLmConf
from model.labelers.causal_lm.base import find_gguf, find_package_folder

SLOTS = 2
"""Requests that the server reads at a time, each with the prompt's prefix kept."""
_TOKENS_A_SLOT = 1024
"""Tokens that a request may take: prompt, pair and answer fit."""


def find_lacking() -> str | None:
    """Name the package without which there is no server and that is not installed; None: all are
    there."""
    needed = ("xllamacpp", CausalLmConf().package)
    absent = [name for name in needed if find_spec(name) is None]
    return f"package {absent[0]} is not installed" if absent else None


def count_threads() -> int:
    """Count the server's threads: OMP_NUM_THREADS, else all cores."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


@contextmanager
def serve_model() -> Iterator[str]:
    """Run the server as long as the context and give its base address."""
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(find_gguf(find_package_folder(CausalLmConf().package)))
    params.n_ctx, params.n_parallel = SLOTS * _TOKENS_A_SLOT, SLOTS
    params.warmup, params.verbosity = False, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = count_threads()
    server = xllamacpp.Server(params)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server
