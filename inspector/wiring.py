"""The only place that builds adapters: from settings to databases, buckets, queues, workers and the web."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from flask import Flask
from prometheus_client import start_http_server
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from inspector.api import create_app
from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.errors import ConfigError, DatabaseUnavailable
from inspector.ops.bootstrap import WAIT_S, BootstrapReport, Outcome, Probe, Step, bootstrap
from inspector.settings import Settings, load_settings
from inspector.store import Database, migrate, sweeps, workers
from inspector.store.listen import ChangeListener
from inspector.store.migrate import is_migrated
from inspector.store.status import StatusReader
from inspector.worker.consumer import Consumer
from inspector.worker.ingest import Ingest
from inspector.worker.sweep import Sweep
from inspector.worker.worker import Worker

log = structlog.get_logger(__name__)

_WEB_READ_TIMEOUT_S: Final = 2.0  # a silent S3 must not hold the web's threads
_RUNNING: Final = "running.json"  # in the data folder: where the stack of `inspector up` is reached


def make_database(settings: Settings, *, pool_size: int = 5) -> Database:
    """Raises ConfigError if no database is named and none runs embedded."""
    if settings.database_url is None:
        raise ConfigError("no database: start `inspector up`, or set DATABASE_URL")
    return Database(settings.database_url.get_secret_value(), pool_size=pool_size)


def make_bucket(settings: Settings) -> Bucket:
    return Bucket(make_s3(settings), settings.bucket, make_signer(settings))


def make_queue(settings: Settings) -> Queue:
    return Queue(make_sqs(settings), settings.queue, settings.dead_letter_queue)


def make_worker(settings: Settings) -> Worker:
    return Worker(
        make_database(settings, pool_size=10), make_bucket(settings), make_queue(settings), settings
    )


def make_sweep(settings: Settings) -> Sweep:
    db, bucket = make_database(settings), make_bucket(settings)
    return Sweep(db, bucket, Ingest(db, bucket, settings), settings)


def make_app(settings: Settings) -> Flask:
    db = make_database(settings, pool_size=settings.web_threads)
    return create_app(
        settings,
        StatusReader(db, min_score=settings.min_score),
        lambda: ChangeListener(db),
        Bucket(make_s3(settings, read_timeout_s=_WEB_READ_TIMEOUT_S), settings.bucket),
    )


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
    Raises Unavailable when a service does not answer, ConfigError for a database that is not migrated.
    """
    db, bucket, queue = make_database(settings), make_bucket(settings), make_queue(settings)
    try:
        _settle_database(db, verify_only, on_step, pause)
        report = bootstrap(
            bucket,
            queue,
            visibility_s=settings.visibility_timeout_s,
            probe=_probe(settings, db, bucket, queue, pause) if probe or not verify_only else None,
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


def _probe(
    settings: Settings, db: Database, bucket: Bucket, queue: Queue, pause: Callable[[float], None]
) -> Probe:
    quick = settings.model_copy(update={"poll_wait_s": 1})
    consumer = Consumer(db, queue, Ingest(db, bucket, quick), quick)

    def seen(key: str) -> bool:
        with db.begin() as tx:
            return workers.probe_seen(tx, key)

    def ingest_once() -> None:
        pause(consumer.run_once())

    return Probe(seen, ingest_once)


def serve_metrics(settings: Settings, index: int) -> None:
    """Serve this worker's metrics on a port of its own; a port in use costs no more than the metrics."""
    if settings.worker_metrics_port == 0:
        return
    port = settings.worker_metrics_port + index
    try:
        start_http_server(port, addr=settings.worker_metrics_host)
    except OSError as exc:
        log.warning("metrics_not_served", port=port, error=str(exc))


# ---------------------------------------------------------------- the stack that runs on this machine


def announce_stack(settings: Settings) -> Path:
    """Note where the running stack is reached, for other commands in the same folder."""
    note = settings.data_dir / _RUNNING
    note.touch(mode=0o600)
    note.write_text(json.dumps({"pid": os.getpid(), "environment": settings.as_environment()}))
    return note


def join_stack(settings: Settings) -> Settings:
    """The settings, completed by those of the stack that `inspector up` runs in the same data folder."""
    try:
        note = json.loads((settings.data_dir / _RUNNING).read_text())
        os.kill(int(note["pid"]), 0)
        running = {
            name.removeprefix("INSPECTOR_").lower(): value for name, value in note["environment"].items()
        }
    except (OSError, ValueError, KeyError):
        return settings
    return load_settings(
        **{**running, **{name: getattr(settings, name) for name in settings.model_fields_set}}
    )
