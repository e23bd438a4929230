"""The circuit breaker, with clock and jitter in the test's hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.aws import Breaker, BreakerState


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(threshold=3, first_pause_s=1, longest_pause_s=10, clock=clock, jitter=lambda: 0.0)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.allow()
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.allow()
    assert breaker.retry_in_s == 1


def test_one_probe_is_let_through_when_the_pause_is_over(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 1
    assert breaker.allow()
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.allow()
    breaker.succeeded()
    assert str(breaker.state) == "closed"
    assert breaker.allow()
    assert breaker.retry_in_s == 0


def test_pauses_double_up_to_a_limit_and_it_never_gives_up(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    pauses = []
    for _ in range(6):
        pauses.append(breaker.retry_in_s)
        clock.now += breaker.retry_in_s
        assert breaker.allow()
        breaker.failed()
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_a_probe_that_is_never_reported_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 1
    assert breaker.allow()
    clock.now += 1
    assert breaker.allow()


def test_after_recovery_pauses_start_small_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 1
    breaker.allow()
    breaker.failed()
    breaker.succeeded()
    fail(breaker, 3)
    assert breaker.retry_in_s == 1


@given(jitter=st.floats(0, 1), failures=st.integers(3, 40))
def test_a_pause_is_never_longer_than_the_longest_nor_shorter_than_half_the_first(
    jitter: float, failures: int
) -> None:
    breaker = Breaker(
        threshold=3, first_pause_s=1, longest_pause_s=10, clock=lambda: 0.0, jitter=lambda: jitter
    )
    fail(breaker, failures)
    assert 0.5 <= breaker.retry_in_s <= 10
