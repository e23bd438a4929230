"""A circuit breaker: stops asking a service that does not answer, and probes until it does.

Source: M. Nygard, Release It!, the circuit breaker pattern; pauses grow as in AWS's "Exponential backoff and
jitter". It never gives up for good. Pure: clock and jitter are handed in.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Ask `allow()` before each call, and say afterwards whether it `succeeded()` or `failed()`.

    After `threshold` failures in a row it opens for `first_pause_s`; each failed probe doubles the pause, up
    to `longest_pause_s`; a pause is shortened at random by up to half, so that a fleet does not probe in
    step. Thread-safe.
    """

    def __init__(
        self,
        *,
        threshold: int = 3,
        first_pause_s: float = 1.0,
        longest_pause_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._threshold = threshold
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._pause_s = 0.0
        self._wait_until = 0.0

    @property
    def state(self) -> BreakerState:
        return self._state

    @property
    def retry_in_s(self) -> float:
        """Seconds until the next call is allowed; 0 when one is allowed now."""
        with self._lock:
            return self._remaining_s()

    def allow(self) -> bool:
        """Whether to call now. When the pause is over one probe is let through.

        A probe that is never reported back is followed by another after the same pause.
        """
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return True
            if self._remaining_s() > 0:
                return False
            self._state = BreakerState.HALF_OPEN
            self._wait_until = self._clock() + self._pause_s
            return True

    def succeeded(self) -> None:
        """The call went through: close."""
        with self._lock:
            self._state = BreakerState.CLOSED
            self._failures = 0
            self._pause_s = 0.0

    def failed(self) -> None:
        """The call did not go through: count it, and open when there were too many in a row."""
        with self._lock:
            self._failures += 1
            if self._state is BreakerState.CLOSED and self._failures < self._threshold:
                return
            self._state = BreakerState.OPEN
            self._pause_s = min(self._longest_pause_s, 2 * self._pause_s or self._first_pause_s)
            self._wait_until = self._clock() + self._pause_s * (1 - self._jitter() / 2)

    def _remaining_s(self) -> float:
        if self._state is BreakerState.CLOSED:
            return 0.0
        return max(0.0, self._wait_until - self._clock())
