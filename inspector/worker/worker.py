"""The worker process: equal threads, each a loop, and a main thread that watches them.

    inspect     claims jobs and inspects videos; brings old results up to date while there are none
    consume     queue messages → jobs
    sweep       bucket listing → jobs
    letters     failed jobs → dead-letter queue
    tidy        thumbnails that have to go
    prune       what is kept longer than wanted
    uploads     aborts what nobody goes on with
    outbox      what came of the videos → webhooks, tags, topic, bus
    listen      wakes `inspect` when a job is queued anywhere
    heartbeat   renews the lease, and shows that this worker lives
    protection  on Amazon ECS: asks that this task be spared while a job is in work

A thread that ends unasked takes the whole process down, visibly: the supervisor starts a new one. So does a
heartbeat that hangs: its worker would lose every lease. A process that hangs as a whole gives no pulse.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import structlog

from inspector.aws.breaker import BreakerState
from inspector.aws.bucket import Bucket
from inspector.aws.queue import Queue
from inspector.aws.uploads import Uploads
from inspector.media import sandbox_status
from inspector.settings import Settings
from inspector.store import Database
from inspector.store.listen import JobListener
from inspector.worker.attempt import Attempts
from inspector.worker.consumer import Consumer
from inspector.worker.dead_letters import DeadLetters
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.ingest import Ingest
from inspector.worker.inspect import Inspection
from inspector.worker.loop import Loop
from inspector.worker.outbox import Outbox
from inspector.worker.protection import Protection
from inspector.worker.prune import Pruning
from inspector.worker.reindex import Reindex
from inspector.worker.scratch import remove_orphans
from inspector.worker.supervisor import StopFlag, stop_on_signals
from inspector.worker.sweep import Sweep
from inspector.worker.thumbnails import ThumbnailMaker
from inspector.worker.uploads import StaleUploads

log = structlog.get_logger(__name__)

_WATCH_S: Final = 0.2
HANGS_AFTER_LEASES: Final = 2  # without a heartbeat for so long, a worker is no use to anybody
_GRACE_SHARE: Final = 0.85  # of the time before we are killed, for the loops to end
_LEAVING_S: Final = 1.0


class Worker:
    """All loops of one worker process."""

    def __init__(
        self,
        db: Database,
        bucket: Bucket,
        queue: Queue,
        uploads: Uploads,
        outbox: Outbox,
        settings: Settings,
        *,
        pulse: Path | None = None,
    ) -> None:
        """pulse: a file to touch while all is well."""
        self._db = db
        self._settings = settings
        self._pulse = pulse
        self._asked = StopFlag()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._listener = JobListener(db)
        self._ingest = ingest = Ingest(db, bucket, settings)
        consumer = Consumer(db, queue, ingest, settings)
        self._sweep = Sweep(db, bucket, ingest, settings)
        self._heartbeat = Heartbeat(
            db,
            settings,
            stop=self._stop,
            breaker_open=lambda: consumer.breaker.state is not BreakerState.CLOSED,
        )
        attempts = Attempts(
            db,
            bucket,
            ingest,
            Inspection(db, bucket, settings),
            self._heartbeat,
            settings,
            stop=self._stop,
            wake=self._wake,
            otherwise=Reindex(db, bucket, ingest, settings, stop=self._stop).run_once,
        )
        self._heart = Loop("heartbeat", self._heartbeat.run_once, self._stop)
        self._loops = [
            Loop("inspect", attempts.run_once, self._stop),
            Loop("consume", consumer.run_once, self._stop),
            Loop("sweep", self._sweep_once, self._stop),
            Loop("letters", DeadLetters(db, queue, settings).run_once, self._stop),
            Loop("tidy", ThumbnailMaker(db, bucket, settings).tidy_once, self._stop),
            Loop("prune", Pruning(db, bucket.name, settings).run_once, self._stop),
            Loop("uploads", StaleUploads(db, uploads, bucket.name).run_once, self._stop),
            Loop("outbox", outbox.run_once, self._stop),
            Loop("listen", self._listen_once, self._stop),
            self._heart,
        ]
        if settings.ecs_agent_uri:
            protection = Protection(settings.ecs_agent_uri, self._heartbeat.job_age_s)
            self._loops.append(Loop("protection", protection.run_once, self._stop))

    def run(self) -> int:
        """Work until SIGTERM or SIGINT. Returns the exit code: 1 if a thread died.

        Raises ConfigError if a sandbox is demanded that does not work here.
        """
        stop_on_signals(self._asked)
        sandbox = sandbox_status(self._settings)
        log.info("worker_started", worker=self._heartbeat.worker_id)
        log.info("sandbox", kind=sandbox.kind, why=sandbox.why, processes_limited=sandbox.processes_limited)
        remove_orphans(self._settings.scratch)
        for loop in self._loops:
            loop.start()
        died = self._watch()
        self._stop_all(died)
        log.info("worker_stopped", worker=self._heartbeat.worker_id, died=died)
        return 1 if died else 0

    def _watch(self) -> str | None:
        """Wait until we are asked to stop, or a thread has died or hangs. Returns the name of that thread."""
        while not self._asked.wait(_WATCH_S):
            dead = next((loop.name for loop in self._loops if not loop.alive), None)
            if dead is not None:
                return dead
            if self._heart.turn_s > HANGS_AFTER_LEASES * self._settings.lease_s:
                log.error("loop_hangs", loop=self._heart.name, turn_s=round(self._heart.turn_s, 1))
                return self._heart.name
            if self._pulse is not None:
                self._pulse.touch()
        return None

    def _stop_all(self, died: str | None) -> None:
        """Wait for all loops together; a long poll may end by itself, so that its messages are not lost to
        the visibility timeout.
        """
        self._stop.set()
        self._wake.set()
        deadline = time.monotonic() + _GRACE_SHARE * self._settings.shutdown_grace_s
        for loop in self._loops:
            if not loop.join(max(0.0, deadline - time.monotonic())):
                log.info("loop_abandoned", loop=loop.name)
        self._ingest.close()
        if not died:  # else it stays on the list, and is counted as lost
            self._leave()

    def _leave(self) -> None:
        """Take ourselves off the list of workers; a connection that has gone silent may hold that up."""
        leaving = threading.Thread(target=self._heartbeat.leave, name="leave", daemon=True)
        leaving.start()
        leaving.join(_LEAVING_S)
        self._listener.close()

    def _sweep_once(self) -> float:
        return 0.0 if self._sweep.run_once() else self._settings.idle_poll_s

    def _listen_once(self) -> float:
        if self._listener.wait(1.0):
            self._wake.set()
        return 0.0
