"""From event to queued row, beside what the emulator gives to a client that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from benchmarks.load.house import Gauge, House, table
from inspector.aws import Bucket, Queue
from inspector.events import parse_message
from inspector.wiring.adapters import make_bucket, make_queue
from inspector.wiring.bootstrap import run_bootstrap
from inspector.worker.consumer import Consumer
from inspector.worker.ingest import Ingest

PUTTING: Final = 8  # threads that upload
BARE_THREADS: Final = 8
BODY: Final = b"no video, but an object"


def measure(house: House, *, objects: int, rounds: int) -> str:
    """A table of rates. Each round takes a slice of the messages in each of the ways."""
    run_bootstrap(house.settings)
    bucket, queue = make_bucket(house.settings), make_queue(house.settings)
    consumer = Consumer(house.db, queue, Ingest(house.db, bucket, house.settings), house.settings)
    share = objects // rounds
    ways: dict[str, Callable[[int], Any]] = {
        "receive, HeadObject, delete; one thread": lambda n: _bare(bucket, queue, n, threads=1),
        f"the same, {BARE_THREADS} threads": lambda n: _bare(bucket, queue, n, threads=BARE_THREADS),
        "ingest: event → queued row": lambda n: _ingest(house, consumer, n),
    }
    spent, emulator = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    for number in range(rounds):
        for name, way in ways.items():
            put(bucket, [f"{number}/{len(name)}/{n:05}.mp4" for n in range(share)])
            gauge, began = Gauge(house.emulator), time.perf_counter()
            way(share)
            spent[name] += time.perf_counter() - began
            emulator[name] += gauge.share() / rounds
    return table(
        ["way", "messages", "per second", "emulator, of a core"],
        [
            [name, share * rounds, f"{share * rounds / spent[name]:.0f}", f"{emulator[name]:.0%}"]
            for name in ways
        ],
    )


def put(bucket: Bucket, keys: list[str]) -> None:
    """Upload one small object a key."""
    with ThreadPoolExecutor(PUTTING) as pool:
        list(pool.map(lambda key: bucket.put(key, BODY), keys))


def _bare(bucket: Bucket, queue: Queue, count: int, *, threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda n: _take(bucket, queue, n), [count // threads] * threads))


def _take(bucket: Bucket, queue: Queue, count: int) -> None:
    """Receive, look at and delete about so many messages."""
    taken = 0
    while taken < count:
        messages = queue.receive(wait_s=1, visibility_s=120)
        if not messages:
            return
        for message in messages:
            for event in parse_message(message.body):
                bucket.head(event.key)
        queue.delete(messages)
        taken += len(messages)


def _ingest(house: House, consumer: Consumer, count: int) -> None:
    until = rows(house) + count
    while rows(house) < until:
        consumer.run_once()


def rows(house: House) -> int:
    """How many videos the database has."""
    with house.db.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM videos").scalar_one())
