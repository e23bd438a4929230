"""A monitor with real parts: what it looks at, and what it may do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from inspector.errors import InspectorError
from inspector.ops.bootstrap import Outcome
from inspector.ops.examinations import Web
from inspector.ops.monitor import Monitor
from inspector.ops.processes import end_hung_worker
from inspector.ops.recovery import Kind, Recovery
from inspector.settings import Settings
from inspector.store import Database, requeue
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_database
from inspector.wiring.bootstrap import run_bootstrap
from inspector.wiring.doctor import check_up


@contextmanager
def monitoring(
    settings: Settings, web: Web | None, *, every_s: float, recover: bool, probe: bool
) -> Iterator[Monitor]:
    """recover: whether it may do anything but look.  Raises ConfigError if no database is named."""
    db = make_database(settings, pool_size=2)
    actions = {
        Kind.BOOTSTRAP: lambda _: _bootstrap(settings),
        Kind.REQUEUE_EXPIRED: lambda _: _requeue(db, settings),
        Kind.RESTART_WORKER: lambda recovery: _restart(db, settings, recovery),
    }
    try:
        yield Monitor(
            partial(check_up, settings, web, probe=probe),
            db,
            socket.gethostname(),
            actions if recover else {},
            settings,
            every_s=every_s,
        )
    finally:
        db.close()


def _bootstrap(settings: Settings) -> str:
    report = run_bootstrap(settings)
    said = " ".join(step.sentence for step in report.steps if step.outcome is not Outcome.UNCHANGED)
    if not report.ok:
        raise InspectorError(said)
    return said


def _requeue(db: Database, settings: Settings) -> str:
    with db.begin() as tx:
        count = requeue.expired(tx, settings.bucket)
    return f"{count} jobs of dead workers are in the queue again"


def _restart(db: Database, settings: Settings, recovery: Recovery) -> str:
    overview = StatusReader(db, min_score=settings.min_score).overview(settings.bucket)
    for worker in overview.workers:
        if worker.worker_id == recovery.subject and worker.heartbeat_age_s > settings.worker_silent_s:
            return end_hung_worker(worker.pid)
    return "it has come back by itself"
