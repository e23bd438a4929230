"""Peaks are the same wherever a copy begins and whatever else it holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inspector.peaks import count_greater, find_peaks

TIMES_S = np.linspace(0.0, 1.0, 6)
VALUES = np.array([1, 3, 3, 0, 2, 1], dtype=np.float32)


def test_a_peak_is_exceeded_by_none_near_it_and_of_equals_the_first_is_one() -> None:
    assert find_peaks(TIMES_S, VALUES, 0.25).tolist() == [1, 4]


def test_how_many_exceed_a_value_within_reach() -> None:
    assert count_greater(TIMES_S, VALUES, 0.45).tolist() == [2, 0, 1, 4, 1, 1]


def test_without_values_there_are_no_peaks() -> None:
    assert find_peaks(np.zeros(0), np.zeros(0, dtype=np.float32), 1.0).tolist() == []


@given(st.lists(st.integers(0, 5), min_size=30, max_size=60), st.integers(0, 10))
def test_what_stands_far_off_makes_no_difference(levels: list[int], cut_off: int) -> None:
    values = np.array(levels, dtype=np.float32)
    times_s = np.linspace(0.0, 0.2 * (len(values) - 1), len(values))
    whole = count_greater(times_s, values, 1.0)[cut_off + 5 : -5]
    part = count_greater(times_s[cut_off:], values[cut_off:], 1.0)[5:-5]
    assert whole.tolist() == part.tolist()
