"""Bootstrap with real parts: the database migrated, bucket and queues ready, and a probe sent through."""

from __future__ import annotations

import time
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from inspector.aws import Bucket, Queue
from inspector.errors import ConfigError, DatabaseUnavailable
from inspector.ops.bootstrap import PROBE_S, WAIT_S, BootstrapReport, Outcome, Probe, Step, bootstrap
from inspector.settings import Settings
from inspector.store import Database, migrate, sweeps, videos, workers
from inspector.store.migrate import is_migrated
from inspector.wiring.adapters import make_bucket, make_database, make_queue
from inspector.worker.consumer import Consumer
from inspector.worker.ingest import Ingest


def run_bootstrap(
    settings: Settings,
    *,
    verify_only: bool = False,
    probe: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    pause: Callable[[float], None] = time.sleep,
) -> BootstrapReport:
    """Migrate the database and make bucket and queues ready; see `inspector.ops.bootstrap`.

    verify_only changes nothing, and sends a probe object only with `probe`.  pause: how to wait some seconds
    for a service; what it raises ends the bootstrap.
    Raises Unavailable when a service does not answer, ConfigError for a database that is not migrated,
    or belongs to another bucket.
    """
    db, bucket, queue = make_database(settings), make_bucket(settings), make_queue(settings)
    try:
        _settle_database(db, verify_only, on_step, pause)
        check_bucket(db, settings.bucket)
        report = bootstrap(
            bucket,
            queue,
            visibility_s=settings.visibility_timeout_s,
            cors_origins=settings.cors_origins,
            probe=make_probe(settings, db, bucket, queue, pause=pause) if probe or not verify_only else None,
            verify_only=verify_only,
            on_step=on_step,
            pause=pause,
        )
        if report.changed:  # what was put before there was a queue, or a rule, has made no event
            with db.begin() as tx:
                sweeps.ask_for_one(tx, settings.bucket)
        return report
    finally:
        db.close()


def check_bucket(db: Database, bucket: str) -> None:
    """Raises ConfigError if the database is that of another bucket's inspector.

    Workers take whatever job there is, so they would look for one bucket's videos in the other.
    """
    with db.begin() as tx:
        other = videos.other_bucket(tx, bucket)
    if other is not None:
        raise ConfigError(
            f"the database holds videos of the bucket {other}, and this inspector looks after {bucket}: "
            "give it a database of its own (DATABASE_URL; of an embedded one, INSPECTOR_DATA_DIR), or set "
            f"INSPECTOR_BUCKET={other}"
        )


def _settle_database(
    db: Database, verify_only: bool, on_step: Callable[[Step], None], pause: Callable[[float], None]
) -> None:
    waiting = Retrying(
        retry=retry_if_exception_type(DatabaseUnavailable),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(WAIT_S),
        sleep=pause,
        reraise=True,
    )
    if not verify_only:
        changed = waiting(migrate, db)
        outcome = Outcome.UPDATED if changed else Outcome.UNCHANGED
        sentence = "Database: migrated." if changed else "Database: as it should be."
        on_step(Step("database", outcome, sentence))
    elif waiting(is_migrated, db):
        on_step(Step("database", Outcome.VERIFIED, "Database: as it should be."))
    else:
        raise ConfigError("the database has not the tables of this version: run `inspector bootstrap`")


def make_probe(
    settings: Settings,
    db: Database,
    bucket: Bucket,
    queue: Queue,
    *,
    pause: Callable[[float], None] = time.sleep,
    timeout_s: float = PROBE_S,
) -> Probe:
    """A probe that looks into the database, and ingests messages itself in case no worker does."""
    quick = settings.model_copy(update={"poll_wait_s": 1})
    consumer = Consumer(db, queue, Ingest(db, bucket, quick), quick)

    def seen(key: str) -> bool:
        with db.begin() as tx:
            return workers.probe_seen(tx, key)

    def ingest_once() -> None:
        pause(consumer.run_once())

    return Probe(seen, ingest_once, timeout_s)
