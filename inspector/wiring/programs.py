"""The long-running programs, built from settings: a worker, its metrics, the sweep, the web."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog
from flask import Flask
from prometheus_client import start_http_server

from inspector.api import create_app
from inspector.api.v1 import Adapters
from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.ops.actions import Actions
from inspector.settings import Settings
from inspector.stack import crash_looping
from inspector.store import Database
from inspector.store.listen import ChangeListener
from inspector.store.shown import PageReader
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_bucket, make_database, make_queue, make_uploads
from inspector.wiring.reviews import make_reviews
from inspector.wiring.targets import make_targets
from inspector.worker.ingest import Ingest
from inspector.worker.memory import give_back_large_blocks
from inspector.worker.outbox import Outbox
from inspector.worker.sweep import Sweep
from inspector.worker.worker import Worker

log = structlog.get_logger(__name__)

_WEB_READ_TIMEOUT_S: Final = 2.0  # a silent S3 must not hold the web's threads


def make_worker(settings: Settings, *, pulse: Path | None = None) -> Worker:
    """pulse: a file that the worker is to touch while it is well."""
    give_back_large_blocks()
    db = make_database(settings, pool_size=10)
    return Worker(
        db,
        make_bucket(settings),
        make_queue(settings),
        make_uploads(settings),
        make_outbox(settings, db),
        settings,
        pulse=pulse,
    )


def make_outbox(settings: Settings, db: Database) -> Outbox:
    statuses = StatusReader(db, min_score=settings.min_score, common_from=settings.common_from)
    return Outbox(db, statuses, make_targets(settings, statuses))


def make_sweep(settings: Settings) -> Sweep:
    db, bucket = make_database(settings), make_bucket(settings)
    return Sweep(db, bucket, Ingest(db, bucket, settings), settings)


def make_app(settings: Settings) -> Flask:
    db = make_database(settings, pool_size=settings.web_threads)
    statuses = StatusReader(db, min_score=settings.min_score, common_from=settings.common_from)
    s3 = make_s3(settings, read_timeout_s=_WEB_READ_TIMEOUT_S)
    bucket = Bucket(s3, settings.bucket, make_signer(settings))
    sqs = make_sqs(settings, read_timeout_s=_WEB_READ_TIMEOUT_S)
    queue = Queue(sqs, settings.queue, settings.dead_letter_queue)
    return create_app(
        settings,
        statuses,
        lambda: ChangeListener(db),
        bucket,
        adapters=Adapters(
            db,
            bucket,
            queue,
            make_uploads(settings),
            make_reviews(settings, db),
            Actions(db, make_bucket(settings)),  # which waits for a copy as long as it takes
        ),
        page_source=PageReader(db, statuses, settings.bucket),
        queue=queue,
        crash_looping=lambda: crash_looping(settings),
    )


def serve_metrics(settings: Settings, index: int) -> None:
    """Serve this worker's metrics on a port of its own; a port in use costs no more than the metrics."""
    if settings.worker_metrics_port == 0:
        return
    port = settings.worker_metrics_port + index
    try:
        start_http_server(port, addr=settings.worker_metrics_host)
    except OSError as exc:
        log.warning("metrics_not_served", port=port, error=str(exc))
