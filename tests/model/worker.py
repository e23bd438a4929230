"""A worker of the real code that stands still at every named step, until a test tells it to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from inspector.aws.bucket import Bucket
from inspector.model import Lease
from inspector.settings import Settings
from inspector.store import Database
from inspector.worker.attempt import Attempts
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.ingest import Ingest
from inspector.worker.inspect import Inspection

#: Steps within a transaction: whoever stood still there would hold up all others, as in life.
_IN_A_TRANSACTION: Final = frozenset({"looked", "lettered"})
_PATIENCE_S: Final = 60.0


class Killed(BaseException):
    """What `kill -9` looks like from inside: nobody catches it, and nothing is settled."""


class PausedWorker:
    """One worker. `start` claims a job; each `go` takes it to its next step, or lets it fail there."""

    def __init__(
        self,
        db: Database,
        bucket: Bucket,
        ingest: Ingest,
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self._stop = threading.Event()
        self.heartbeat = Heartbeat(db, settings, stop=self._stop, clock=clock)
        self.lease: Lease | None = None
        self._attempts = Attempts(
            db,
            bucket,
            ingest,
            Inspection(db, bucket, settings),
            self.heartbeat,
            settings,
            stop=self._stop,
            wake=threading.Event(),
        )
        self._thread: _GatedThread | None = None

    def start(self) -> Lease | None:
        """Claim a job, if there is one, and go to the first step."""
        self.lease = self._attempts.claim()
        if self.lease is not None:
            self._thread = _GatedThread(self._attempt)
            self._thread.run_to_gate()
        return self.lease

    def go(self, fault: BaseException | None = None) -> None:
        """Go on to the next step, or to the end; `fault` is raised where it stands now."""
        assert self._thread is not None
        self._thread.go(fault)
        if self._thread.ended:
            self._thread = self.lease = None

    def finish(self, fault: BaseException | None = None) -> None:
        """Go on to the end."""
        while self.lease is not None:
            self.go(fault)
            fault = None

    def _attempt(self) -> None:
        assert self.lease is not None
        with self.heartbeat.keep(self.lease), suppress(Killed):
            self._attempts.attempt(self.lease)


class _GatedThread(threading.Thread):
    """Runs only while another thread waits for it, from one gate to the next."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="paused worker", daemon=True)
        self.ended = False
        self._work = work
        self._fault: BaseException | None = None
        self._may_go = threading.Semaphore(0)
        self._stands = threading.Semaphore(0)

    def run(self) -> None:
        try:
            self._work()
        finally:
            self.ended = True
            self._stands.release()

    def run_to_gate(self) -> None:
        self.start()
        self._wait()

    def go(self, fault: BaseException | None) -> None:
        self._fault = fault
        self._may_go.release()
        self._wait()

    def gate(self) -> None:
        """Stand still until told to go on."""
        self._stands.release()
        self._may_go.acquire()
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _wait(self) -> None:
        assert self._stands.acquire(timeout=_PATIENCE_S), "the worker hangs"
        if self.ended:
            self.join()


def pause_here(step: str) -> None:
    """The failpoints' hook: a paused worker stands still, everybody else passes."""
    thread = threading.current_thread()
    if isinstance(thread, _GatedThread) and step not in _IN_A_TRANSACTION:
        thread.gate()
