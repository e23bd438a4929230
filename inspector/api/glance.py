"""How the inspector is doing as a whole, at a glance that costs the database little."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from inspector.api.ports import StatusSource
from inspector.model import Overview, WorkerStatus
from inspector.settings import WORKER_SILENT_S

OVERVIEW_AGE_S: Final = 2.0  # probes, scrapes and pages together cost one count of the jobs in this time


class Glance:
    """The overview of one bucket, asked at most every `max_age_s`. Thread-safe."""

    def __init__(
        self,
        source: StatusSource,
        bucket: str,
        *,
        max_age_s: float = OVERVIEW_AGE_S,
        silent_s: float = WORKER_SILENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """silent_s: a worker whose last heartbeat is older counts as dead."""
        self._source = source
        self._bucket = bucket
        self._max_age_s = max_age_s
        self._silent_s = silent_s
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: tuple[float, Overview] | None = None

    def overview(self) -> Overview:
        """Not older than a moment. Raises DatabaseUnavailable."""
        with self._lock:
            if self._seen is None or self._clock() - self._seen[0] > self._max_age_s:
                self._seen = (self._clock(), self._source.overview(self._bucket))
            return self._seen[1]

    def forget(self) -> None:
        """Somebody has just changed what is shown, and wants to see it."""
        with self._lock:
            self._seen = None

    def ping(self) -> None:
        """Raises DatabaseUnavailable."""
        self._source.ping()

    def alive(self, overview: Overview) -> list[WorkerStatus]:
        """The workers whose hearts beat."""
        return [worker for worker in overview.workers if worker.heartbeat_age_s <= self._silent_s]
