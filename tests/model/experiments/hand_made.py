"""Hand-made predictions: two regions, one page of two items in each."""

import numpy as np

from conf.sections.value import EvaluationConf, Weights
from model.experiments.predictions import Predictions
from model.serving.calibrators import build_identities
from model.spec import InputFeature, InputSpec

SPEC = InputSpec((InputFeature("x", "item"),), ("click", "cart", "purchase"), ("north", "south"))
NONE = build_identities(SPEC.outputs, SPEC.regions)
CONF = EvaluationConf(currency="logged")
CLICKS = Weights(click=1.0, cart=0.0, purchase=0.0, relevance=0.0)


def make_predictions() -> Predictions:
    """North's page: the click is ranked first and irrelevant; south's: clicked and relevant."""
    columns = {
        "p_click": [0.8, 0.4, 0.2, 0.6],
        "p_cart": [0.1, 0.6, 0.1, 0.1],
        "p_purchase": [0.1, 0.1, 0.3, 0.1],
        "p_ge_1": [0.1, 0.9, 0.2, 0.8],
        "p_ge_2": [0.0, 0.5, 0.1, 0.4],
        "label_click": [1, 0, 0, 1],
        "label_cart": [0, 0, 0, 1],
        "label_purchase": [0, 0, 0, 1],
        "label_ge_1": [0, 1, 0, 1],
        "label_ge_2": [0, 1, 0, 1],
        "region": [1, 1, 2, 2],
        "list_code": [5, 5, 6, 6],
        "page_code": [8, 8, 9, 9],
        "unit_code": [3, 3, 4, 4],
        "item_code": [0, 1, 0, 1],
        "judged": [1, 1, 1, 1],
        "position": [1, 2, 1, 2],
        "p_true_click": [0.7, 0.5, 0.2, 0.6],
    }
    for name in ("mask_click", "mask_cart", "mask_purchase", "mask_relevance", "weight_relevance"):
        columns[name] = [1, 1, 1, 1]
    for name in SPEC.outputs:
        for kind in ("logged", "first"):
            columns[f"{kind}.{name}"] = columns[name]
    kept = {k: np.asarray(v, np.float64) for k, v in columns.items() if k not in SPEC.outputs}
    return Predictions(SPEC, kept)
