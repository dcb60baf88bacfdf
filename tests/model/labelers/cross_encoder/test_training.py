"""Threads of a fit."""

import os

import pytest
import torch

from model.labelers.cross_encoder.training import on_threads


def test_a_fit_takes_the_cores_that_its_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 7}, raising=False)
    before = torch.get_num_threads()
    with on_threads(0):
        within = torch.get_num_threads()
    assert (within, torch.get_num_threads()) == (3, before)


def test_conf_names_the_threads_of_a_fit() -> None:
    before = torch.get_num_threads()
    with on_threads(before + 1):
        within = torch.get_num_threads()
    assert (within, torch.get_num_threads()) == (before + 1, before)
