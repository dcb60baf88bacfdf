"""Every relevance head and region part from a snapshot to a served model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from conf.load import SIMULATED, load_conf
from conf.schema import Conf
from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.feed import Batch, ListError, RowSelection, Snapshot, open_snapshot, read_batches
from model.heads import RELEVANCE_HEADS
from model.losses import total_loss
from model.ranker import Ranker, build_ranker
from model.regions import PARTS, MdMask
from model.serving.artifact import Artifact, load_model, save_model
from model.serving.calibrators import build_identities
from model.serving.network import ServingNetwork
from model.spec import SpecError
from model.standardise import Standardisation
from model.training.fit import fit_ranker, predict_split

HEADS, MASKS = sorted(RELEVANCE_HEADS), sorted(PARTS)
BOTH = [*((head, "none") for head in HEADS), *(("corn", mask) for mask in MASKS if mask != "none")]


def conf_of(head: str, mask: str, **more: object) -> ModelConf:
    small = {"hidden": (8, 6), "tower": (4,), "mask_hidden": (5,), "region_embedding": 3}
    return ModelConf.model_validate(small | {"relevance_head": head, "region_mask": mask} | more)


def ranker_of(snapshot: Snapshot, scale: Standardisation, conf: ModelConf) -> Ranker:
    """Weights so large that predictions differ much, as after training."""
    torch.manual_seed(3)
    ranker = build_ranker(snapshot.spec, scale, conf)
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return ranker.eval()


@pytest.fixture(scope="module")
def batch(listed: Snapshot) -> Batch:
    feed = FeedConf(batch_size=60, engine="memory", group_by_list=True, shuffle_files=3)
    return next(read_batches(listed, RowSelection("train"), feed))


@pytest.mark.parametrize(("head", "mask"), BOTH)
def test_forward_and_a_batch_of_one(
    listed: Snapshot, scale: Standardisation, batch: Batch, head: str, mask: str
) -> None:
    ranker = ranker_of(listed, scale, conf_of(head, mask))
    losses = ranker(batch)
    total_loss(losses, {}).backward()
    assert [n for n, p in ranker.named_parameters() if p.grad is None] == []
    assert float(losses["relevance"].weight) > 0.0
    out, one = ranker.predict(batch.features), ranker.predict(batch.features[:1])
    assert bool((out["p_ge_1"] >= out["p_ge_2"]).all())
    for name, p in one.items():
        torch.testing.assert_close(p, out[name][:1])
    nothing = total_loss(ranker(replace(batch, weight=torch.zeros(60))), {})
    assert float(nothing.detach()) == 0.0


@pytest.mark.parametrize(("head", "mask"), BOTH)
def test_saved_loaded_and_served(
    listed: Snapshot, scale: Standardisation, batch: Batch, tmp_path: Path, head: str, mask: str
) -> None:
    """Rows, candidates with the query's part once, and the model directory agree."""
    conf = conf_of(head, mask)
    ranker, spec = ranker_of(listed, scale, conf), listed.spec
    calibrators = build_identities(spec.outputs, spec.regions)
    version = save_model(Artifact(ranker, scale, conf, calibrators), tmp_path / "model")
    loaded = load_model(tmp_path / "model", features=spec.names)
    assert loaded.version == version
    with torch.no_grad():
        expected = ranker.predict(batch.features)
        network = ServingNetwork(ranker)
        fused = dict(
            zip(spec.outputs, network.predict_pairs(batch.features).unbind(1), strict=True)
        )
    found = loaded.predict(batch.features.numpy())
    for name, p in expected.items():
        torch.testing.assert_close(fused[name], p)
        np.testing.assert_allclose(found[name], p.numpy(), rtol=1e-5, atol=1e-7)
    counts = np.array([2, 0, 3])
    queries = batch.features[:3][:, spec.query_positions]
    candidates = batch.features[:5][:, spec.candidate_positions]
    rows = ranker.inputs.join_blocks(
        queries.repeat_interleave(torch.from_numpy(counts), 0), candidates
    )
    split = loaded.predict_candidates(queries.numpy(), candidates.numpy(), counts)
    for name, p in loaded.predict(rows.numpy()).items():
        np.testing.assert_allclose(split[name], p, rtol=1e-5, atol=1e-7)


def chain_conf(head: str, mask: str = "none", **feed: object) -> Conf:
    settings = {"engine": "memory", "batch_size": 64, "shuffle_files": 3} | feed
    tree = load_conf(
        [SIMULATED],
        settings=[
            "trainer.epochs=6",
            "trainer.min_steps=1",
            "trainer.learning_rate=0.01",
            "trainer.loss_weights.relevance=1",
        ],
    ).tree
    return tree.model_copy(
        update={
            "model": conf_of(head, mask),
            "feed": FeedConf.model_validate(settings),
            "trainer": tree.trainer.model_copy(update={"progress": False}),
        }
    )


@pytest.mark.parametrize("head", HEADS)
def test_training_calibration_and_metrics(listed: Snapshot, tmp_path: Path, head: str) -> None:
    """A few epochs find the planted effect on the grades, whatever the head."""
    needs_lists = RELEVANCE_HEADS[head].needs_lists
    conf = chain_conf(head, group_by_list=needs_lists)
    fitted = fit_ranker(listed, conf, tmp_path / "training", "", {})
    assert fitted.metrics["rows"]["train"] == 1_000
    for grade in ("p_ge_1", "p_ge_2"):
        found = fitted.metrics["validation"][grade]
        assert found["auc"] > 0.65
        assert found["calibrated_loss"] <= found["loss"] + 1e-6
    save_model(fitted.artifact, tmp_path / "model")
    out = load_model(tmp_path / "model").predict(np.ones((4, len(listed.spec.features))))
    assert np.isfinite(out["relevance"]).all()


def test_predictions_come_in_the_order_of_the_files_whatever_training_groups(
    listed: Snapshot, scale: Standardisation
) -> None:
    """Train rows cut at a batch of 50: whole lists of 20 would leave gaps and move rows."""
    ranker = ranker_of(listed, scale, conf_of("listwise", "none"))
    feed = FeedConf(engine="memory", batch_size=50, shuffle_files=1)
    plain = predict_split(ranker, listed, feed, "train")
    grouped = predict_split(
        ranker, listed, feed.model_copy(update={"group_by_list": True}), "train"
    )
    np.testing.assert_array_equal(plain.region, grouped.region)
    np.testing.assert_array_equal(plain.by_output["p_ge_1"].p, grouped.by_output["p_ge_1"].p)


def test_a_head_over_lists_refuses_batches_of_mixed_rows(
    listed: Snapshot, snapshot: Snapshot, tmp_path: Path
) -> None:
    with pytest.raises(ListError, match=r"set feed\.group_by_list: true"):
        fit_ranker(listed, chain_conf("listwise"), tmp_path / "a", "", {})
    with pytest.raises(ListError, match="no column list_code"):
        fit_ranker(snapshot, chain_conf("lambda", group_by_list=True), tmp_path / "b", "", {})


def test_a_region_without_training_rows_is_neutral_counted_and_reported(
    snapshot: Snapshot, scale: Standardisation, batch: Batch
) -> None:
    north_only = replace(scale, region_rows=[4, 996, 0])
    ranker = ranker_of(snapshot, north_only, conf_of("corn", "md"))
    assert isinstance(ranker.region, MdMask)
    at = snapshot.spec.names.index("region_index")
    for region, neutral in ((0.0, True), (1.0, False), (2.0, True)):
        features = batch.features.clone()
        features[:, at] = region
        x = ranker.inputs(features)
        assert torch.equal(ranker.region(x, features[:, at].long()), x) == neutral


def test_fit_counts_the_rows_that_are_neutral(own_snapshot: Path, tmp_path: Path) -> None:
    """All training rows moved to region 1: region 2 is unseen, with rows in validation."""
    opened = open_snapshot(own_snapshot)
    for file in opened.splits["train"]:
        path = own_snapshot / file.path
        table = pq.read_table(path)
        place = table.column_names.index("region_index")
        ones = pa.array(np.ones(len(table), np.float32))
        pq.write_table(table.set_column(place, "region_index", ones), path)
    fitted = fit_ranker(opened, chain_conf("corn", "md"), tmp_path / "training", "", {})
    validation = pq.read_table(own_snapshot / opened.splits["validation"][0].path)
    south = int((validation["region_index"].to_numpy() == 2).sum())
    assert south > 0
    assert fitted.metrics["neutral_regions"] == {
        "unseen": ["south"],
        "train_rows": 0,
        "validation_rows": south,
    }


def test_a_mask_without_a_region_dependent_feature_is_refused(
    snapshot: Snapshot, scale: Standardisation
) -> None:
    features = tuple(replace(f, regional=False) for f in snapshot.spec.features)
    with pytest.raises(SpecError, match="no feature is declared region-dependent"):
        build_ranker(replace(snapshot.spec, features=features), scale, conf_of("corn", "md"))
