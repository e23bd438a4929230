"""From event to queued row, beside what the emulator gives to a client that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import mean
from typing import Final, NamedTuple

from benchmarks.load import lean
from benchmarks.load.house import Gauge, House, Machine, table
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
LEAN: Final = (1, 2, 4)  # processes of clients that leave the emulator all it can use
BODY: Final = b"no video, but an object"


class _Hands(NamedTuple):
    """What a process works with."""

    bucket: Bucket
    queue: Queue
    consumer: Consumer
    house: House


class _Slice(NamedTuple):
    """What all processes are to take together: so many messages, of objects put after the newest video."""

    messages: int
    newest: int


_Way = Callable[[int, _Slice], None]  # how many messages are about this process's share

_mine: list[_Hands] = []  # of this process, once it has begun


def measure(house: House, *, objects: int, rounds: int) -> str:
    """A table of rates. Each round takes a slice of the messages in each of the ways."""
    run_bootstrap(house.settings)
    share = objects // rounds
    bucket = make_bucket(house.settings)
    ways = {
        f"{what}; processes: {count}": (way, count)
        for what, way, counts in (
            ("receive, HeadObject, delete, without boto3", _lean, LEAN),
            ("receive, HeadObject, delete", _bare, PROCESSES),
            ("ingest: event → queued row", _ingest, PROCESSES),
        )
        for count in counts
    }
    found = {name: _Found() for name in ways}
    with ExitStack() as stack:
        pools = {count: stack.enter_context(_pool(house.settings, count)) for count in {*PROCESSES, *LEAN}}
        for number in range(rounds):
            for name, (way, count) in ways.items():
                put(bucket, [f"{number}/{name}/{n:05}.mp4" for n in range(share)])
                put_now = _Slice(share, _newest(house))
                gauge, machine, began = Gauge(house.emulator), Machine(), time.perf_counter()
                cpu_s = sum(
                    pools[count].map(_timed, [way] * count, [share // count] * count, [put_now] * count)
                )
                found[name].add(time.perf_counter() - began, cpu_s, gauge.share(), machine.shares()[0])
    return table(
        ["way", "messages", "per second", "the best round", "clients, ms a message", "emulator, of a core",
         "machine idle"],
        [
            [name, share * rounds, f"{share / mean(f.took_s):.0f}", f"{share / min(f.took_s):.0f}",
             f"{1000 * mean(f.cpu_s) / share:.2f}", f"{mean(f.emulator):.0%}", f"{mean(f.idle):.0%}"]
            for name, f in found.items()
        ],
    )  # fmt: skip


@dataclass(slots=True)
class _Found:
    """Of each round: seconds, computing of the clients in seconds, shares of the emulator and of nobody."""

    took_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    emulator: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)

    def add(self, took_s: float, cpu_s: float, emulator: float, idle: float) -> None:
        self.took_s.append(took_s)
        self.cpu_s.append(cpu_s)
        self.emulator.append(emulator)
        self.idle.append(idle)


def put(bucket: Bucket, keys: list[str]) -> None:
    """Upload one small object a key."""
    with ThreadPoolExecutor(PUTTING) as pool:
        list(pool.map(lambda key: bucket.put(key, BODY), keys))


def rows(house: House) -> int:
    """How many videos the database has."""
    with house.db.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM videos").scalar_one())


def _newest(house: House) -> int:
    """The id of the newest video, 0 if there is none."""
    with house.db.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM videos").scalar_one())


def _all_known(house: House, together: _Slice) -> bool:
    """Whether all are videos by now. It looks at no others: counting is measured, too."""
    with house.db.engine.connect() as connection:
        query = "SELECT count(*) FROM videos WHERE id > %s"
        known = connection.exec_driver_sql(query, (together.newest,)).scalar_one()
        return int(known) >= together.messages


def _pool(settings: Settings, count: int) -> Executor:
    """Processes that are ready: each has done its first calls."""
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, (settings,))
    list(pool.map(_bare, [1] * count, [_Slice(1, 0)] * count))
    return pool


def _begin(settings: Settings) -> None:
    configure_logging(settings)
    impatient = settings.model_copy(update={"poll_wait_s": 0})
    db, bucket, queue = make_database(impatient), make_bucket(impatient), make_queue(impatient)
    consumer = Consumer(db, queue, Ingest(db, bucket, impatient), impatient)
    _mine.append(_Hands(bucket, queue, consumer, House(impatient, db)))


def _timed(way: _Way, count: int, together: _Slice) -> float:
    """Go this way. Returns the computing that it took this process, in seconds."""
    before_s = time.process_time()
    way(count, together)
    return time.process_time() - before_s


def _lean(count: int, _together: _Slice) -> None:
    """The same as `_bare`, by the cheapest of clients."""
    (mine,) = _mine
    lean.take(mine.house.settings, count)


def _bare(count: int, _together: _Slice) -> None:
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


def _ingest(_count: int, together: _Slice) -> None:
    """Ingest until all is known."""
    (mine,) = _mine
    while not _all_known(mine.house, together):
        mine.consumer.run_once()
