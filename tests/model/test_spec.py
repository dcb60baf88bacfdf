"""Which features a model reads."""

from dataclasses import replace

import pytest

from model.spec import InputFeature, InputSpec, SpecError, describe_input_difference

SPEC = InputSpec(
    features=(
        InputFeature("region_index", "query", "category", regional=True, buckets=4),
        InputFeature("query_length", "query"),
        InputFeature("item_type", "item", "category", buckets=8),
        InputFeature("item_shown", "item", exposure=True),
        InputFeature("overlap", "query_item"),
        InputFeature("pair_ctr", "query_item", regional=True),
        InputFeature("pair_shown", "query_item", exposure=True),
    ),
    tasks=("click",),
    regions=("us", "uk"),
    relevance=True,
)


@pytest.mark.parametrize(
    ("group", "gone"),
    [
        ("ids", ["item_type"]),
        ("exposure", ["item_shown", "pair_shown"]),
        ("region", ["region_index", "pair_ctr"]),
        ("fit", ["overlap"]),
        ("query_length", ["query_length"]),
    ],
)
def test_a_group_leaves_out_its_features(group: str, gone: list[str]) -> None:
    read = SPEC.mark_included((group,))
    assert [name for name, keep in zip(SPEC.names, read, strict=True) if not keep] == gone


def test_a_model_reads_something() -> None:
    with pytest.raises(SpecError, match="leaves no feature to read"):
        SPEC.mark_included(SPEC.names)


def _change(number: int, **fields: object) -> InputSpec:
    features = list(SPEC.features)
    features[number] = replace(features[number], **fields)  # type: ignore[arg-type]
    return replace(SPEC, features=tuple(features))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SPEC, ""),
        (_change(1, description="in characters", default=2.0), ""),
        (_change(1, name="length"), "missing ['query_length'], not declared ['length']"),
        (replace(SPEC, regions=("uk", "us")), "regions ['uk', 'us'], now ['us', 'uk']"),
        (
            _change(2, buckets=4),
            "item_type is a category of 4 ids, now a category of 8 ids",
        ),
        (_change(2, kind="numeric", buckets=0), "item_type is numeric, now a category of 8 ids"),
    ],
)
def test_values_mean_the_same_under_equal_names_regions_and_ids(
    given: InputSpec, words: str
) -> None:
    assert describe_input_difference(SPEC, given) == words
