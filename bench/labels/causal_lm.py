"""The causal labeler on Home Depot: how well it grades, and how much faster reading its middle is.

Fitted on pairs of buckets 0 to 4, the epoch chosen on bucket 5, judged on bucket 6
once. The other side of the rate is the same model, whole, asked for the grade of one pair after
the other with `generate()`: the same words, the same arithmetic and threads, a JSON answer of 8
tokens at most, and, as the best case of asking, one token.
COUNTERPOISE_CAUSAL_PAIRS sets the pairs to fit on (2,000); half as many choose and judge.
"""

import os
import time
from typing import Any

import numpy as np
import torch
from rich.console import Console

from bench.labels.homedepot_pairs import GradedPairs, find_file, read_pairs
from bench.result import Result
from conf.sections.labelers import CausalLmConf
from model.evaluation.metrics import compute_spearman
from model.labelers.base import Pairs, Probabilities
from model.labelers.causal_lm.base import find_base
from model.labelers.causal_lm.labeler import CausalLm
from model.labelers.deployed import match_cuts
from model.labelers.metrics import compute_kappa, count_confusion, cut_grades
from model.labelers.mix.sampling import compute_mix, count_grades
from model.labelers.network.base_model import read_tokenizer
from model.labelers.prompt import neutralise_pairs, read_template
from model.text.encoder import resolve_dtype

FIT = int(os.environ.get("COUNTERPOISE_CAUSAL_PAIRS", "2000"))
CHOOSE, TEST, ASKED = FIT // 2, FIT // 2, 24
"""Pairs that choose, that judge, and that the whole model is asked for (slow: few)."""
ANSWER_TOKENS = 8
"""Tokens of an answer in JSON at most."""
SEED = 0
"""Of the fits."""
LIMIT = 10.0
"""Times that reading the middle must be as fast as asking."""


def measure() -> list[Result]:
    """Measure the agreement of the head and of LoRA, and both rates; nothing where the data is
    absent."""
    path = find_file()
    if path is None:
        Console().print("causal_lm: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    fit = read_pairs(path, range(5), FIT)
    choose, test = read_pairs(path, [5], CHOOSE), read_pairs(path, [6], TEST)
    results = []
    for name, conf in _list_confs().items():
        labeler = CausalLm(conf, SEED)
        report = labeler.fit(fit.pairs, fit.targets, (choose.pairs, choose.targets))
        Console().print(f"{name}: {report.details}")
        words = _format_agreement(labeler.predict(test.pairs), test, fit)
        what = f"{name}, {report.details['layers']} layers, {FIT} pairs in {report.seconds:.0f} s"
        results.append(Result(what, words, "none", True))
    return [*results, *_compare_rates(labeler, conf, test.pairs)]


def _list_confs() -> dict[str, CausalLmConf]:
    """List the head alone and the default; the default comes last."""
    default = CausalLmConf()
    return {"head alone": default.model_copy(update={"epochs": 0}), "head and LoRA": default}


def _format_agreement(p: Probabilities, test: GradedPairs, fit: GradedPairs) -> str:
    """Format kappa and within-one, with cuts that give the mix of the fitted grades, and
    Spearman."""
    mix = compute_mix(count_grades(fit.grades))
    cuts = match_cuts(p.expected, np.ones(len(p)), mix)
    grades = cut_grades(p.expected, cuts)
    kappa = float(compute_kappa(count_confusion(grades, test.grades)))
    near = np.mean(np.abs(grades - test.grades) <= 1)
    rank = compute_spearman(p.expected, test.ratings)
    return f"QWK {kappa:.3f}, Spearman {rank:.3f}, within one {near:.3f}"


def _compare_rates(labeler: CausalLm, conf: CausalLmConf, pairs: Pairs) -> list[Result]:
    """Divide the pairs/s of the labeler by the pairs/s of `generate()`, on the same pairs in one
    run."""
    labeler.predict(pairs.select_rows(np.arange(64)))
    started = time.perf_counter()
    labeler.predict(pairs)
    rate = len(pairs) / (time.perf_counter() - started)
    results = []
    for tokens in (ANSWER_TOKENS, 1):
        asked = _measure_asking(conf, pairs.select_rows(np.arange(ASKED)), tokens)
        words = f"{rate / asked:.1f} ({rate:.0f} against {asked:.1f} pairs/s)"
        what = f"rate over generate() of {tokens} token{'s' if tokens > 1 else ''}, pair by pair"
        limited = tokens == ANSWER_TOKENS
        limit = f">= {LIMIT:.0f}" if limited else "none"
        results.append(Result(what, words, limit, not limited or rate >= LIMIT * asked))
    return results


@torch.inference_mode()
def _measure_asking(conf: CausalLmConf, pairs: Pairs, tokens: int) -> float:
    """Measure the pairs/s of the whole model that answers in words, one pair at a time."""
    from transformers import AutoModelForCausalLM

    base, template = find_base(conf), read_template(conf.prompt)
    dtype = getattr(torch, resolve_dtype(conf.dtype))
    tokenizer = read_tokenizer(base.folder)
    model: Any = AutoModelForCausalLM.from_pretrained(str(base.folder), dtype=dtype).eval()
    texts = neutralise_pairs(pairs, conf.prompt)
    chats = [template.build_messages(q, i) for q, i in zip(texts.queries, texts.items, strict=True)]
    started = 0.0
    for number, chat in enumerate([chats[0], *chats]):
        if number == 1:
            started = time.perf_counter()
        inputs = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
    return len(pairs) / (time.perf_counter() - started)
