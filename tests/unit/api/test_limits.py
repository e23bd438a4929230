"""Rates: bursts pass, averages hold, callers do not disturb each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.api.limits import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.floats(0.5, 1000), st.floats(0.1, 5), st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_never_more_than_the_rate_and_one_burst(per_s: float, burst_s: float, gaps: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(per_s, burst_s=burst_s, clock=clock)
    permitted = 0
    for gap in gaps:
        clock.now += gap
        permitted += not limit.take("a")
    assert permitted <= per_s * (sum(gaps) + max(burst_s, 1 / per_s)) + 1e-6 + 1


@given(st.floats(0.5, 1000), st.floats(0.1, 5))
def test_who_waits_as_told_is_let_in(per_s: float, burst_s: float) -> None:
    clock = Clock()
    limit = RateLimit(per_s, burst_s=burst_s, clock=clock)
    while not (wait_s := limit.take("a")):
        pass
    assert 0 < wait_s <= 1 / per_s + 1e-6
    clock.now += wait_s + 1e-6
    assert limit.take("a") == 0


def test_a_burst_passes_and_others_are_not_disturbed() -> None:
    limit = RateLimit(10, burst_s=2, clock=Clock())
    assert [bool(limit.take("a")) for _ in range(21)] == [False] * 20 + [True]
    assert limit.take("b") == 0


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0, clock=Clock())
    assert not any(limit.take("a") for _ in range(1000))


@pytest.mark.parametrize("capacity", [1, 10])
def test_only_so_many_callers_are_remembered(capacity: int) -> None:
    limit = RateLimit(1, burst_s=1, capacity=capacity, clock=Clock())
    limit.take("first")
    assert limit.take("first") > 0
    for n in range(capacity):
        limit.take(str(n))
    assert limit.take("first") == 0
