"""How much one caller may ask for: a rate of requests. Pure: the clock is handed in.

Source: the generic cell rate algorithm, ITU-T I.371: one number for each caller says when
its last request would have come at the permitted rate. Requests run ahead of it by up to `burst_s`.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

BURST_S: Final = 2.0  # a page with all its parts, or a program that asks for a batch, passes at once
CAPACITY: Final = 10_000  # callers remembered; who asks from more addresses is held by the number of threads
_ROUNDING_S: Final = 1e-6


class RateLimit:
    """So many requests per second for each caller. Thread-safe."""

    def __init__(
        self,
        per_s: float,
        *,
        burst_s: float = BURST_S,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """per_s: 0 permits any number."""
        self._interval_s = 1 / per_s if per_s else 0.0
        self._burst_s = max(burst_s, self._interval_s)
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._due: OrderedDict[str, float] = OrderedDict()  # who asked last stands last

    def take(self, caller: str) -> float:
        """Count one request. Returns 0 if it is permitted, else the seconds until one will be."""
        if not self._interval_s:
            return 0.0
        now = self._clock()
        with self._lock:
            due = max(self._due.pop(caller, now), now) + self._interval_s
            wait_s = due - now - self._burst_s
            permitted = wait_s < _ROUNDING_S
            self._due[caller] = due if permitted else due - self._interval_s
            if len(self._due) > self._capacity:
                self._due.popitem(last=False)
        return 0.0 if permitted else wait_s
