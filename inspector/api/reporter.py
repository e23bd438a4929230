"""Logs how many jobs and workers there are, from time to time: for scalers and alarms that read logs.

The web does it, because it is there when no worker is. Two that run say the same: readers take the maximum.
"""

from __future__ import annotations

import threading

import structlog

from inspector.api.glance import Glance
from inspector.errors import DatabaseUnavailable
from inspector.model import State

log = structlog.get_logger(__name__)


class Reporter:
    """A thread that reports every so many seconds. `start` after the fork, `stop` at the end."""

    def __init__(self, glance: Glance, every_s: float) -> None:
        """every_s: 0 for never."""
        self._glance = glance
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._every_s > 0:
            self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def run_once(self) -> None:
        """Log one report. jobs: all that a worker is needed for, queued or in work."""
        try:
            overview = self._glance.overview()
        except DatabaseUnavailable as exc:
            log.warning("jobs_not_counted", error=str(exc))
            return
        queued, processing = (overview.jobs.get(state, 0) for state in (State.QUEUED, State.PROCESSING))
        log.info(
            "jobs_counted",
            jobs=queued + processing,
            queued=queued,
            oldest_queued_s=round(overview.oldest_queued_s or 0.0, 1),
            workers=len(self._glance.alive(overview)),
        )

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.run_once()
            except Exception:
                log.exception("report_failed")
