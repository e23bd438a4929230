"""What is to be done when, in the order of time."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

Action = Callable[[], object]


class Agenda:
    """Actions for later, done by whoever calls `catch_up`; all in one thread."""

    def __init__(self) -> None:
        self._planned: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def after(self, seconds: float, action: Action) -> None:
        heapq.heappush(self._planned, (time.monotonic() + seconds, next(self._numbers), action))

    def catch_up(self) -> None:
        """Do what is due."""
        while self._planned and self._planned[0][0] <= time.monotonic():
            heapq.heappop(self._planned)[2]()

    def __len__(self) -> int:
        return len(self._planned)
