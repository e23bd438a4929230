"""The heartbeat: renews the lease of the job in work, and shows everyone that this worker lives."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from inspector import failpoints
from inspector.errors import DatabaseUnavailable, LeaseLost
from inspector.metrics import LEASES_EXTENDED
from inspector.model import Lease
from inspector.settings import Settings
from inspector.store import Database, jobs, workers

log = structlog.get_logger(__name__)


class Heartbeat:
    """`run_once` beats once; a thread repeats it. Another thread inspects within `keep`."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        stop: threading.Event,
        breaker_open: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._db = db
        self._settings = settings
        self._stop = stop
        self._breaker_open = breaker_open
        self._clock = clock
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._kept_since = 0.0
        self._good_until = 0.0

    def run_once(self) -> float:
        """Renew the lease and the worker's row. Returns the seconds until the next beat.

        Raises DatabaseUnavailable; the lease then runs on, and `cancelled` ends the job when it has run out.
        """
        failpoints.reach("beat")
        with self._lock:
            lease = self._lease
        if lease is not None:
            self._extend(lease)
        with self._db.begin() as tx:
            workers.beat(
                tx,
                self.worker_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                doing=lease.key if lease else "",
                breaker_open=self._breaker_open(),
            )
        return self._settings.heartbeat_s

    @contextmanager
    def keep(self, lease: Lease) -> Iterator[None]:
        """Renew this lease for the length of the block."""
        with self._lock:
            self._lease = lease
            self._kept_since = self._clock()
            self._good_until = self._kept_since + self._settings.lease_s
        try:
            yield
        finally:
            with self._lock:
                self._lease = None

    def let_go(self) -> None:
        """The job of `keep` is finished: there is no lease to renew any more, and none to lose."""
        with self._lock:
            self._lease = None
            self._good_until = float("inf")

    def cancelled(self) -> bool:
        """Whether we are asked to stop. Raises LeaseLost when the job is no longer ours."""
        with self._lock:
            if self._clock() > self._good_until:
                raise LeaseLost("the lease could not be renewed in time")
        return self._stop.is_set()

    def job_age_s(self) -> float | None:
        """How long the job in work has been so; None if there is none."""
        with self._lock:
            return None if self._lease is None else self._clock() - self._kept_since

    def leave(self) -> None:
        """Take the worker off the list; a database that is away must not keep us from stopping."""
        try:
            with self._db.begin() as tx:
                workers.leave(tx, self.worker_id)
        except DatabaseUnavailable as exc:
            log.info("worker_left_unseen", error=str(exc))

    def _extend(self, lease: Lease) -> None:
        asked_at = self._clock()
        try:
            with self._db.begin() as tx:
                jobs.extend(tx, lease, lease_s=self._settings.lease_s)
        except LeaseLost:
            self._give_up(lease)
            return
        LEASES_EXTENDED.inc()
        with self._lock:
            if self._lease is lease:
                self._good_until = asked_at + self._settings.lease_s

    def _give_up(self, lease: Lease) -> None:
        """Another owns the job, or it has just been finished by our own inspecting thread."""
        with self._lock:
            if self._lease is not lease:
                return
            self._good_until = float("-inf")
        log.warning("lease_lost", key=lease.key)
