"""The yardstick itself: it lets chance pass and stops what is not chance."""

from __future__ import annotations

import pytest

from tests.unit.simulate.measure import assert_count, assert_fits, chi_square_limit


def test_counts_from_another_table_are_refused() -> None:
    with pytest.raises(AssertionError):
        assert_fits({"a": 2600, "b": 2400}, {"a": 45, "b": 55})
    with pytest.raises(AssertionError):
        assert_fits({"a": 2500, "c": 2500}, {"a": 50, "b": 50})


def test_counts_within_chance_pass() -> None:
    assert_fits({"a": 2310, "b": 2690}, {"a": 45, "b": 55})
    assert_count(120, 5000, 6 / 251)


def test_a_rare_thing_half_as_often_again_is_refused() -> None:
    with pytest.raises(AssertionError):
        assert_count(179, 5000, 6 / 251)


def test_the_limit_is_that_of_the_chi_square_distribution() -> None:
    # 95 in 100 lie below 3.84 with one degree of freedom, below 18.31 with ten.
    assert chi_square_limit(1, sigmas=1.645) == pytest.approx(3.84, rel=0.03)
    assert chi_square_limit(10, sigmas=1.645) == pytest.approx(18.31, rel=0.01)
