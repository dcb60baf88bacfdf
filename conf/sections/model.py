"""The ranker: widths, and which parts it is put together from."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section


class ModelConf(Section):
    """Widths and parts of the ranker."""

    backbone: Literal[
        "shared_bottom", "mmoe", "ple", "adatt", "esmm", "aitm", "resflow", "seq", "tabm"
    ] = Field("shared_bottom", description="layers between the input and the heads")
    link: Literal["auto", "independent", "conditional", "residual"] = Field(
        "auto",
        description="how a step's probability follows from the step before; conditional: their "
        "product, never rising; residual: logits add up; auto: as in the backbone's paper",
    )
    descending: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="weight of the penalty on steps likelier than the step before (loss per unit "
        "of probability); null: the backbone's own",
    )
    experts: int = Field(4, ge=1, description="mmoe: experts (count)")
    shared_experts: int = Field(
        2, ge=1, description="ple: experts of a layer that all tasks share (count)"
    )
    task_experts: int = Field(
        1, ge=1, description="ple, adatt: experts of a layer and task (count)"
    )
    task_embedding: int = Field(8, ge=1, description="seq: width of a step's embedding (units)")
    members: int = Field(
        8,
        ge=1,
        description="tabm: networks in one, which share their matrices, not their scales and "
        "biases; their probabilities are averaged (count)",
    )
    region_mask: Literal["none", "feature", "pepnet", "star", "md"] = Field(
        "none",
        description="what the region does to the input before the backbone; feature: its embedding "
        "beside the input; pepnet: gate on every unit; star: layer by region; md: mask on the "
        "region-dependent units",
    )
    region_embedding: int = Field(
        8, ge=1, description="feature, pepnet, md: width of the region's embedding (units)"
    )
    mask_hidden: tuple[int, ...] = Field(
        (32,), description="pepnet, md: hidden widths of the gate (units)"
    )
    mask_condition: Literal["both", "region", "features"] = Field(
        "both",
        description="md: what the mask depends on; features: the region-dependent ones",
    )
    mask_over: Literal["regional", "all"] = Field(
        "regional", description="md: masked units, those of region-dependent features or all"
    )
    relevance_head: Literal[
        "corn", "coral", "independent", "softmax", "mse", "listwise", "lambda"
    ] = Field(
        "corn",
        description="form of the relevance head; corn: conditional ordinal chain; coral: one "
        "score, ordered thresholds; independent: each threshold by itself; softmax: grades as "
        "classes; mse: expected grade; listwise: corn with ListNet; lambda: coral with "
        "NDCG-weighted pairs (the last two need feed.group_by_list)",
    )
    text_fit_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="corn, listwise: part in relevance's logits, when the model predicts, of two "
        "logistic regressions on how well the texts fit, which need few grades (fraction)",
    )
    list_weight: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="listwise, lambda: weight of the list's loss beside the cross-entropy",
    )
    hidden: tuple[int, ...] = Field(
        (128, 64), min_length=1, description="widths of the shared layers (units)"
    )
    tower: tuple[int, ...] = Field((32,), description="hidden widths of a task tower (units)")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate (fraction)")
    embedding_width: int = Field(
        2, ge=1, description="width at most of a category's embedding (units)"
    )
    numeric: Literal["standard", "piecewise", "periodic"] = Field(
        "piecewise",
        description="numeric features as the input layer gives them; standard: (x - mean) / std; "
        "piecewise: that, and beside it how far x has come through each of `bins` bins of equal "
        "mass; periodic: that, and beside it its sine and cosine at `frequencies` learnt "
        "frequencies",
    )
    bins: int = Field(
        8, ge=2, le=64, description="piecewise: bins of a feature at most, of equal mass (count)"
    )
    frequencies: int = Field(4, ge=1, description="periodic: frequencies of a feature (count)")
    frequency_scale: float = Field(
        0.1,
        gt=0,
        allow_inf_nan=False,
        description="periodic: standard deviation of new frequencies (cycles per standard "
        "deviation of the feature)",
    )
    clip: float = Field(
        8.0, gt=0, description="standardised inputs are cut at this many standard deviations"
    )
    leave_out: tuple[str, ...] = Field(
        (),
        description="features that the model does not read, by name or by group; ids: hashed "
        "brand and type; exposure: how often the logger showed query, item or pair; region: every "
        "feature that depends on the region; fit: how well the texts of query and item fit",
    )
    position_bias: Literal["additive", "multiplicative", "input", "none"] = Field(
        "multiplicative",
        description="how the position enters, in training only; additive, multiplicative: a tower "
        "on the logits or on the probabilities; input: a feature of the network, held at 1 when it "
        "scores",
    )
    max_position: int = Field(
        100, ge=1, description="positions beyond this one share its bias (ranks from 1)"
    )
