"""The long-running programs, built from settings: a worker, its metrics, the sweep. See also `web.py`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog
from prometheus_client import start_http_server

from inspector.aws import Bucket, make_s3
from inspector.metrics import SCRATCH_FREE_BYTES, SCRATCH_RESERVE_BYTES
from inspector.settings import Settings
from inspector.store import Database
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_bucket, make_database, make_queue, make_uploads
from inspector.wiring.targets import make_targets
from inspector.worker.backfill import Backfill
from inspector.worker.ingest import Ingest
from inspector.worker.memory import give_back_large_blocks
from inspector.worker.outbox import Outbox
from inspector.worker.scratch import free_bytes
from inspector.worker.sources import Source, find_source
from inspector.worker.sweep import Sweep
from inspector.worker.worker import Worker

log = structlog.get_logger(__name__)


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


def make_backfill(settings: Settings) -> Backfill:
    db, bucket = make_database(settings), make_bucket(settings)
    return Backfill(db, bucket, Ingest(db, bucket, settings), settings)


def make_source(settings: Settings, place: str) -> Source:
    """What a person calls `s3://bucket/prefix`, a manifest or a CSV file."""
    s3 = make_s3(settings)
    return find_source(place, Bucket(s3, settings.bucket), lambda name: Bucket(s3, name))


def serve_metrics(settings: Settings, index: int) -> None:
    """Serve this worker's metrics on a port of its own; a port in use costs no more than the metrics."""
    SCRATCH_RESERVE_BYTES.set(settings.scratch_reserve_bytes)
    SCRATCH_FREE_BYTES.set_function(partial(free_bytes, settings.scratch))
    if settings.worker_metrics_port == 0:
        return
    port = settings.worker_metrics_port + index
    try:
        start_http_server(port, addr=settings.worker_metrics_host)
    except OSError as exc:
        log.warning("metrics_not_served", port=port, error=str(exc))
