"""Hundreds of readers, each of its own video, while all videos change: does everyone hear everything?"""

from __future__ import annotations

import re
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle
from multiprocessing import get_context
from typing import Final

from sqlalchemy import text

from benchmarks.load import rows
from benchmarks.load.asking import ask
from benchmarks.load.house import Gauge, House, get, memory_mb, table, threads
from benchmarks.load.listening import Heard, listen

EVERYTHING: Final = 5  # readers of `/events`
STALLED: Final = 5
RATE: Final = 50.0  # requests per second meanwhile
TOGETHER: Final = 10  # videos changed in one transaction
_STEPS: Final = (("processing", 0.0), ("processing", 0.3), ("processing", 0.6), ("queued", 0.0))
_MOVE: Final = text(
    "UPDATE videos SET state = :state, progress = :progress, attempts = attempts + (:state = 'queued')::int "
    "WHERE id = ANY(:ids) RETURNING key, revision"
)

Told = dict[str, dict[int, float]]  # by key: each revision, and when it was committed


def measure(house: House, *, readers: int, seconds: float, every_s: float) -> str:
    """A table of what was told and heard. Each video changes once in `every_s`."""
    ids = rows.queued(house.db, house.settings.bucket, readers)
    port, quiet_mb = house.settings.port, memory_mb(house.web)
    targets = [f"/status/{key}" for key in ids] + ["/events"] * EVERYTHING
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        listening = pool.submit(listen, port, targets, seconds=seconds + 10, stalled=STALLED)
        while _gauge(port, "inspector_streams") < len(targets) + STALLED:
            time.sleep(0.1)
        web = Gauge(house.web)
        asking = pool.submit(ask, port, list(ids), rate=RATE, seconds=seconds)
        told = _move(house, list(ids.values()), seconds, every_s)
        share, size_mb, count = web.share(), memory_mb(house.web), threads(house.web)
        _finish(house, list(ids.values()), told)
        answers, listened = asking.result(), listening.result()
    own = [heard for heard in listened.heard if heard.target != "/events"]
    delays = sorted(_delays(own, told))
    log = [heard for heard in listened.heard if heard.target == "/events"]
    return table(
        ["readers", "changes", "events heard", "missing", "older after newer", "delay p50 ms", "p99",
         "missing in /events", "stalled, dropped", "requests p50 ms", "p99", "web, of a core", "memory MB",
         "threads"],
        [[f"{readers} + {EVERYTHING} of all", sum(map(len, told.values())), sum(len(h.events) for h in own),
          _missing(own, told), _backwards([*own, *log]),
          f"{1000 * delays[len(delays) // 2]:.0f}", f"{1000 * delays[int(0.99 * len(delays))]:.0f}",
          _missing_in_log(house, log), f"{STALLED}, {_gauge(port, 'inspector_streams_dropped_total'):.0f}",
          f"{answers.quantile_ms(0.5):.1f}", f"{answers.quantile_ms(0.99):.1f}",
          f"{share:.0%}", f"{quiet_mb:.0f} → {size_mb:.0f}", count]],
    )  # fmt: skip


def _move(house: House, ids: list[int], seconds: float, every_s: float) -> Told:
    """Change the videos in turn, evenly over the time."""
    told: Told = {}
    pause_s = every_s * TOGETHER / len(ids)
    began, turn = time.perf_counter(), 0
    for state, progress in cycle(_STEPS):
        for some in _batches(ids):
            _change(house, some, state, progress, told)
            turn += 1
            time.sleep(max(0.0, began + turn * pause_s - time.perf_counter()))
            if time.perf_counter() - began > seconds:
                return told
    return told


def _finish(house: House, ids: list[int], told: Told) -> None:
    for some in _batches(ids):
        _change(house, some, "done", 1.0, told)


def _batches(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + TOGETHER] for start in range(0, len(ids), TOGETHER)]


def _change(house: House, ids: list[int], state: str, progress: float, told: Told) -> None:
    with house.db.begin() as tx:
        changed = tx.execute(_MOVE, {"state": state, "progress": progress, "ids": ids}).all()
    now = time.perf_counter()
    for key, revision in changed:
        told.setdefault(key, {})[revision] = now


def _missing(own: list[Heard], told: Told) -> int:
    return sum(
        len(told[heard.target.removeprefix("/status/")].keys() - {each for each, _ in heard.events})
        for heard in own
    )


def _backwards(heard: list[Heard]) -> int:
    return sum(
        later[0] < earlier[0]
        for each in heard
        for earlier, later in zip(each.events, each.events[1:], strict=False)
    )


def _delays(own: list[Heard], told: Told) -> list[float]:
    return [
        at - told[heard.target.removeprefix("/status/")][revision]
        for heard in own
        for revision, at in heard.events
        if revision in told[heard.target.removeprefix("/status/")]
    ]


def _missing_in_log(house: House, log: list[Heard]) -> int:
    """Changes of the log, from the first that a reader heard on, that it did not hear."""
    with house.db.begin() as tx:
        positions = {row[0] for row in tx.execute(text("SELECT position FROM changes"))}
    heard = [{position for position, _ in each.events} for each in log]
    return sum(_missing_after(min(each, default=0), positions - each) for each in heard)


def _missing_after(first: int, unheard: set[int]) -> int:
    return sum(position >= first for position in unheard)


def _gauge(port: int, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", get(port, "/metrics")[1].decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0
