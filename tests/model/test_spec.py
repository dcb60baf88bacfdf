"""Which features a model reads."""

import pytest

from model.spec import InputFeature, InputSpec, SpecError

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
