"""The value model: hand-worked values and ranks, weights by region, refused weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.sections.value import ValueConf, Weights
from model.value.weights import (
    ValueModelError,
    ValueWeights,
    WeightTable,
    compute_ranks,
    compute_value,
)

TABLE = WeightTable(
    default=ValueWeights(0.2, 0.3, 0.5, 0.1), by_region={"fr": ValueWeights(1.0, 0.0, 0.0, 2.0)}
)


def predictions(**columns: list[float]) -> dict[str, np.ndarray]:
    return {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}


def test_value_is_the_weighted_sum_with_half_the_expected_grade() -> None:
    p = predictions(
        p_click=[0.5, 0.25], p_cart=[0.25, 0.5], p_purchase=[0.125, 0.0], relevance=[1.5, 0.5]
    )
    found = compute_value(p, TABLE.build_matrix(["us", "fr"]))
    # us: .2*.5 + .3*.25 + .5*.125 + .1*.75; fr: 1*.25 + 2*.25
    np.testing.assert_allclose(found, [0.3125, 0.75], rtol=1e-7)
    assert found.dtype == np.float32


def test_unknown_region_takes_the_default_weights() -> None:
    assert TABLE.get_region("atlantis") == TABLE.default
    assert TABLE.build_matrix([]).shape == (0, 4)


def test_ranks_start_anew_in_every_query_and_ties_keep_their_order() -> None:
    values = np.asarray([0.1, 0.9, 0.9, 0.5, 0.2, 0.2, 0.3], dtype=np.float32)
    found = compute_ranks(values, np.asarray([4, 0, 3]))
    assert found.tolist() == [4, 1, 2, 3, 2, 3, 1]
    assert found.dtype == np.int32


@given(
    st.lists(
        st.lists(st.floats(-1, 1, width=16) | st.floats(0, 1, width=32), max_size=6),
        min_size=0,
        max_size=5,
    )
)
def test_ranks_equal_a_plain_sort(queries: list[list[float]]) -> None:
    flat = np.asarray([v for query in queries for v in query], dtype=np.float32)
    found = compute_ranks(flat, np.asarray([len(query) for query in queries], dtype=np.int64))
    expected = []
    for query in queries:
        order = sorted(range(len(query)), key=lambda i, q=query: (-q[i], i))
        expected += [order.index(i) + 1 for i in range(len(query))]
    assert found.tolist() == expected


def test_counts_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueModelError, match="add up to 2, there are 3"):
        compute_ranks(np.zeros(3, dtype=np.float32), np.asarray([2]))


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_weights_are_finite_and_not_negative(wrong: float) -> None:
    with pytest.raises(ValueModelError, match="cart"):
        ValueWeights(0.1, wrong, 0.1, 0.1)


def test_a_value_that_is_not_finite_is_refused() -> None:
    p = predictions(p_click=[math.nan], p_cart=[0], p_purchase=[0], relevance=[0])
    with pytest.raises(ValueModelError, match="1 values are not finite"):
        compute_value(p, TABLE.build_matrix(["us"]))


def test_json_round_trip_keeps_table_and_version() -> None:
    again = WeightTable.from_json(TABLE.to_json())
    assert again == TABLE
    assert again.version == TABLE.version
    assert WeightTable(TABLE.default).version != TABLE.version


def test_table_of_conf() -> None:
    conf = ValueConf(by_region={"fr": Weights(relevance=3.0)})
    table = WeightTable.from_conf(conf)
    assert table.get_region("fr").relevance == 3.0
    assert table.get_region("us") == ValueWeights.from_conf(Weights())


def test_many_ties_keep_the_order_of_the_candidates() -> None:
    """More than a sort by insertion, stable by itself, would take; 0.0 and -0.0 are one value."""
    values = np.tile(np.asarray([0.5, 0.0, -0.0], dtype=np.float32), 40)
    found = compute_ranks(values, np.asarray([120]))
    assert found[::3].tolist() == list(range(1, 41))
    rest = np.delete(found, np.s_[::3])
    assert rest.tolist() == list(range(41, 121))
