"""From event to queued row, beside what the emulator gives to a client that does nothing else."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Final, NamedTuple

from benchmarks.load.house import Gauge, House, table
from inspector.aws import Bucket, Queue
from inspector.events import parse_message
from inspector.logs import configure_logging
from inspector.settings import Settings
from inspector.wiring.adapters import make_bucket, make_database, make_queue
from inspector.wiring.bootstrap import run_bootstrap
from inspector.worker.consumer import Consumer
from inspector.worker.ingest import Ingest

PUTTING: Final = 3  # threads that upload; more only fight for the interpreter
PROCESSES: Final = (1, 2)
BODY: Final = b"no video, but an object"


class _Hands(NamedTuple):
    """What a process works with."""

    bucket: Bucket
    queue: Queue
    consumer: Consumer
    house: House


_mine: list[_Hands] = []  # of this process, once it has begun


def measure(house: House, *, objects: int, rounds: int) -> str:
    """A table of rates. Each round takes a slice of the messages in each of the ways."""
    run_bootstrap(house.settings)
    share = objects // rounds
    bucket = make_bucket(house.settings)
    ways = {
        f"{what}; processes: {count}": (way, count)
        for count in PROCESSES
        for what, way in (("receive, HeadObject, delete", _bare), ("ingest: event → queued row", _ingest))
    }
    spent, emulator = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    with ExitStack() as stack:
        pools = {count: stack.enter_context(_pool(house.settings, count)) for count in PROCESSES}
        for number in range(rounds):
            for name, (way, count) in ways.items():
                put(bucket, [f"{number}/{name}/{n:05}.mp4" for n in range(share)])
                until = rows(house) + share
                gauge, began = Gauge(house.emulator), time.perf_counter()
                list(pools[count].map(way, [share // count] * count, [until] * count))
                spent[name] += time.perf_counter() - began
                emulator[name] += gauge.share() / rounds
    return table(
        ["way", "messages", "per second", "emulator, of a core"],
        [
            [name, share * rounds, f"{share * rounds / s:.0f}", f"{emulator[name]:.0%}"]
            for name, s in spent.items()
        ],
    )


def put(bucket: Bucket, keys: list[str]) -> None:
    """Upload one small object a key."""
    with ThreadPoolExecutor(PUTTING) as pool:
        list(pool.map(lambda key: bucket.put(key, BODY), keys))


def rows(house: House) -> int:
    """How many videos the database has."""
    with house.db.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM videos").scalar_one())


def _pool(settings: Settings, count: int) -> Executor:
    """Processes that are ready: each has done its first calls."""
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, (settings,))
    list(pool.map(_bare, [1] * count, [0] * count))
    return pool


def _begin(settings: Settings) -> None:
    configure_logging(settings)
    impatient = settings.model_copy(update={"poll_wait_s": 0})
    db, bucket, queue = make_database(impatient), make_bucket(impatient), make_queue(impatient)
    consumer = Consumer(db, queue, Ingest(db, bucket, impatient), impatient)
    _mine.append(_Hands(bucket, queue, consumer, House(impatient, db)))


def _bare(count: int, _until: int) -> None:
    """Receive, look at and delete about so many messages, and do nothing else."""
    (mine,) = _mine
    taken = 0
    while taken < count:
        messages = mine.queue.receive(wait_s=0, visibility_s=120)
        if not messages:
            return
        for message in messages:
            for event in parse_message(message.body):
                mine.bucket.head(event.key)
        mine.queue.delete(messages)
        taken += len(messages)


def _ingest(_count: int, until: int) -> None:
    """Ingest until so many videos are known."""
    (mine,) = _mine
    while rows(mine.house) < until:
        mine.consumer.run_once()
