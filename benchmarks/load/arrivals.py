"""Thousands of small objects, as fast as the endpoint takes them: is every one queued, and how soon?"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from typing import Final

from sqlalchemy import text

from benchmarks.load.house import Gauge, House, table
from benchmarks.load.ingest import put, rows
from inspector.logs import configure_logging
from inspector.settings import Settings
from inspector.wiring.adapters import make_bucket, make_database, make_queue
from inspector.wiring.bootstrap import run_bootstrap
from inspector.worker.consumer import Consumer
from inspector.worker.ingest import Ingest

UPLOADERS: Final = 2  # processes
CONSUMERS: Final = 2  # processes, as of two workers that inspect nothing
PATIENCE_S: Final = 120.0  # without a new row: what is missing then is lost


def measure(house: House, *, objects: int) -> str:
    """A table of what arrived."""
    run_bootstrap(house.settings)
    began = time.perf_counter()
    with ProcessPoolExecutor(UPLOADERS + CONSUMERS, get_context("spawn")) as pool:
        consuming = [pool.submit(_consume, house.settings, objects) for _ in range(CONSUMERS)]
        emulator, share = Gauge(house.emulator), objects // UPLOADERS
        uploading = [pool.submit(_upload, house.settings, n, share) for n in range(UPLOADERS)]
        for each in uploading:
            each.result()
        put_s = time.perf_counter() - began
        for each in consuming:
            each.result()
    all_s, used = time.perf_counter() - began, emulator.share()
    with house.db.begin() as tx:
        changes = tx.execute(
            text("SELECT count(DISTINCT key) FROM changes WHERE state = 'queued'")
        ).scalar_one()
    dead = make_queue(house.settings).depths().dead
    put_count = share * UPLOADERS
    return table(
        ["objects", "put per second", "queued per second", "after the last put, s", "lost", "in the log",
         "dead letters", "emulator, of a core"],
        [[put_count, f"{put_count / put_s:.0f}", f"{put_count / all_s:.0f}", f"{all_s - put_s:.1f}",
          put_count - rows(house), changes, dead, f"{used:.0%}"]],
    )  # fmt: skip


def _upload(settings: Settings, number: int, count: int) -> None:
    put(make_bucket(settings), [f"arrivals/{number}/{n:06}.mp4" for n in range(count)])


def _consume(settings: Settings, until: int) -> None:
    """Ingest until so many videos are known, or none has come for long."""
    configure_logging(settings)
    with closing(make_database(settings)) as db:
        house = House(settings, db)
        ingest = Ingest(db, make_bucket(settings), settings)
        consumer = Consumer(db, make_queue(settings), ingest, settings)
        known, deadline = 0, time.monotonic() + PATIENCE_S
        while known < until and time.monotonic() < deadline:
            consumer.run_once()
            if (now := rows(house)) > known:
                known, deadline = now, time.monotonic() + PATIENCE_S
