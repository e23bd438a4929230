"""One attempt at a job: claimed, inspected under a heartbeat, and settled whatever happens."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.orm import Session

from inspector import failpoints, tracing
from inspector.aws.bucket import Bucket
from inspector.errors import (
    BucketUnavailable,
    DatabaseBusy,
    DatabaseUnavailable,
    InspectorError,
    Interrupted,
    LeaseLost,
    MediaRejected,
    ObjectChanged,
    ObjectGone,
    ScratchFull,
    ToolMissing,
    Unavailable,
    told,
)
from inspector.metrics import JOBS_FINISHED, LEASES_LOST
from inspector.model import Lease, Progress, State
from inspector.settings import Settings
from inspector.store import Database, jobs
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.ingest import Ingest, Outcome
from inspector.worker.inspect import Inspection
from inspector.worker.loop import waiting_out_outages

log = structlog.get_logger(__name__)

_OUTAGE_PAUSE_S: Final = 5.0  # before a job is tried again that failed for no fault of its own
_UNFIT_PAUSE_S: Final = 1.0  # before the next job: else all that wait would be claimed and put off in turns
_PUT_OFF: Final = "put_off"


class Attempts:
    """Claims jobs one after the other. `wake` is set by whoever knows that a job was queued."""

    def __init__(
        self,
        db: Database,
        bucket: Bucket,
        ingest: Ingest,
        inspection: Inspection,
        heartbeat: Heartbeat,
        settings: Settings,
        *,
        stop: threading.Event,
        wake: threading.Event,
        otherwise: Callable[[], bool] = lambda: False,
    ) -> None:
        """otherwise: what is done while there is no job; returns whether there was anything to do."""
        self._db = db
        self._bucket = bucket
        self._ingest = ingest
        self._inspection = inspection
        self._heartbeat = heartbeat
        self._settings = settings
        self._wake = wake
        self._otherwise = otherwise
        self._patiently = waiting_out_outages("attempt", stop)

    def run_once(self) -> float:
        """Inspect one video, or wait until there may be one. Returns the seconds to wait before the next.

        Raises DatabaseUnavailable.
        """
        self._wake.clear()
        lease = self.claim()
        if lease is None:
            if not self._otherwise():
                self._wake.wait(self._settings.idle_poll_s)
            return 0.0
        about = (lease.bucket, lease.key, lease.object.etag)
        with (
            self._heartbeat.keep(lease),
            tracing.later_span("attempt", *about, attempt=lease.attempt, worker=self._heartbeat.worker_id),
        ):
            outcome = self.attempt(lease)
        JOBS_FINISHED.labels(outcome).inc()
        log.info("attempt_ended", key=lease.key, attempt=lease.attempt, outcome=outcome)
        return _UNFIT_PAUSE_S if outcome == _PUT_OFF else 0.0

    def claim(self) -> Lease | None:
        """The next job, if there is one."""
        with self._db.begin() as tx:
            return jobs.claim(
                tx,
                self._heartbeat.worker_id,
                lease_s=self._settings.lease_s,
                max_attempts=self._settings.max_attempts,
            )

    def attempt(self, lease: Lease) -> str:
        """Inspect a claimed video and settle its job. Returns what came of it."""
        log.info("job_claimed", key=lease.key, attempt=lease.attempt)
        try:
            failpoints.reach("claimed")
            self._inspection.run(
                lease,
                cancelled=self._heartbeat.cancelled,
                on_progress=lambda progress: self._report(lease, progress),
                on_done=self._heartbeat.let_go,
            )
        except LeaseLost:
            LEASES_LOST.inc()
            return "lease_lost"
        except MediaRejected as exc:
            rejected = exc
            self._settle(lambda tx: jobs.reject(tx, lease, rejected.reason, rejected.detail))
            return State.REJECTED
        except (ObjectGone, ObjectChanged) as exc:
            return self._look_again(lease, exc)
        except Interrupted:
            self._settle(lambda tx: jobs.release(tx, lease))
            return "released"
        except (Unavailable, ScratchFull, ToolMissing) as exc:
            return self._wait_out(lease, exc)
        except Exception as exc:
            return self._retry(lease, exc)
        return State.DONE

    def _report(self, lease: Lease, progress: Progress) -> None:
        """Show the progress; a database that is away for a moment must not end the inspection."""
        try:
            with self._db.begin() as tx:
                jobs.report(tx, lease, progress)
        except DatabaseUnavailable as exc:
            log.info("progress_not_reported", key=lease.key, error=str(exc))

    def _look_again(self, lease: Lease, exc: InspectorError) -> str:
        """The object is not what the job says: let ingest find out what it is."""
        log.info("object_not_as_known", key=lease.key, error=str(exc))
        outcome = self._patiently(self._ingest.look_at, lease.key)
        if outcome is Outcome.UNCHANGED:
            self._settle(lambda tx: jobs.release(tx, lease, pause_s=_OUTAGE_PAUSE_S))
        return "looked_again"

    def _wait_out(self, lease: Lease, exc: InspectorError) -> str:
        """A service is away, or this machine is not fit: that does not count as an attempt of the video.

        Unless the services do answer, only not for this video: then it would go round for ever.
        """
        only_this_one = isinstance(exc, BucketUnavailable) and self._bucket_answers()
        if only_this_one or isinstance(exc, DatabaseBusy):
            return self._retry(lease, exc)
        log.warning("inspection_put_off", key=lease.key, error=str(exc))
        self._settle(lambda tx: jobs.release(tx, lease, pause_s=_OUTAGE_PAUSE_S, error=told(exc)))
        return _PUT_OFF

    def _bucket_answers(self) -> bool:
        try:
            self._bucket.check()
        except BucketUnavailable:
            return False
        return True

    def _retry(self, lease: Lease, exc: Exception) -> str:
        if isinstance(exc, InspectorError):
            log.warning("attempt_failed", key=lease.key, attempt=lease.attempt, error=str(exc))
        else:
            log.error("attempt_broke", key=lease.key, attempt=lease.attempt, exc_info=exc)
        pause_s = self._settings.retry_pause_s * 2 ** (lease.attempt - 1) * random.uniform(0.5, 1.5)
        state: list[State] = []
        self._settle(lambda tx: state.append(jobs.retry(tx, lease, told(exc), pause_s=pause_s)))
        return "retried" if State.QUEUED in state else State.FAILED

    def _settle(self, write: Callable[[Session], None]) -> None:
        """Write the end of an attempt, however long it takes to reach the database."""

        def once() -> None:
            with self._db.begin() as tx:
                write(tx)

        try:
            self._patiently(once)
        except LeaseLost as exc:
            log.info("job_taken_over", key=str(exc))
        except DatabaseUnavailable as exc:
            log.info("job_left_to_its_lease", error=str(exc))
