"""Pairs whose grade follows from the words that they share."""

import numpy as np
import pytest

from model.labelers.base import Pairs, Targets

_NOUNS = ("ladder", "sofa", "lamp", "drill", "rug", "pipe", "chair", "desk")
_TRAITS = ("red", "steel", "small", "outdoor", "oak", "folding")


@pytest.fixture(scope="session")
def toy_pairs() -> tuple[Pairs, Targets]:
    """600 pairs: grade 2 where noun and trait agree, 1 where the noun does, else 0."""
    draw = np.random.default_rng(5)
    queries, items, grades = [], [], []
    for _ in range(600):
        noun, trait = draw.choice(_NOUNS), draw.choice(_TRAITS)
        other_noun = noun if draw.random() < 0.7 else draw.choice(_NOUNS)
        other_trait = trait if draw.random() < 0.5 else draw.choice(_TRAITS)
        queries.append(f"{trait} {noun}")
        items.append(f"Acme {other_trait.title()} {other_noun.title()} for Home")
        grades.append(int(noun == other_noun) + int(noun == other_noun and trait == other_trait))
    return Pairs(queries, items), Targets.from_grades(np.array(grades))
