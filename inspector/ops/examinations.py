"""What is looked at, and how: the effects of a check-up. Each function yields the rows named beside it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from inspector.aws import Bucket, Queue
from inspector.errors import ConfigError, Unavailable
from inspector.media.features import ffmpeg_features
from inspector.media.sandbox import sandbox_status
from inspector.ops import judgements
from inspector.ops.bootstrap import Outcome, Probe, Step, round_trip, verify
from inspector.ops.checkup import Check, Result, verdict
from inspector.settings import Settings
from inspector.store import Database, vitals
from inspector.store.migrate import is_migrated
from inspector.store.status import StatusReader

FFMPEG: Final = ("ffmpeg", "ffmpeg features")
SANDBOX: Final = ("sandbox",)
SCRATCH: Final = ("scratch space",)
DATABASE: Final = (
    *("database", "connections", "database disk", "clock", "tables"),
    *("workers", "lost workers", "queued jobs", "leases", "failed jobs", "sweep", "queue breaker"),
    "monitor",
)
#: In the order in which bootstrap settles them.
RESOURCES: Final = ("dead-letter queue", "queue", "bucket", "queue policy", "CORS", "notifications")
QUEUES: Final = RESOURCES[:2]
STORAGE: Final = ("S3 and SQS", "S3 clock", *RESOURCES, "messages", "dead letters")
ROUND_TRIP: Final = ("round trip",)
CHILDREN: Final = ("children",)
WEB: Final = ("web", "readiness", "status board")

BOOTSTRAP_REMEDY: Final = "run `inspector bootstrap`: it makes what is missing, and changes nothing else"
_BOARD_LOOKS: Final = 15
_BOARD_PAUSE_S: Final = 0.2  # the board polls every two seconds, if nobody tells it


class Web(Protocol):
    """The running web server, as any client sees it. Raises Unavailable where it does not answer."""

    def check_alive(self) -> None:
        """Return if it answers."""

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` says, whether it is ready or not."""

    def one(self, key: str) -> dict[str, Any]:
        """The status of a video."""


# ---------------------------------------------------------------- this machine


def look_at_ffmpeg(check_ffmpeg: Callable[[], None]) -> Iterator[Check]:
    """check_ffmpeg: raises ConfigError unless ffmpeg and ffprobe are there, and new enough."""
    check_ffmpeg()
    yield Check("ffmpeg", Result.OK, "ffmpeg and ffprobe are installed, and new enough")
    yield judgements.judge_features(ffmpeg_features())


def look_at_sandbox(settings: Settings) -> Iterator[Check]:
    yield judgements.judge_sandbox(sandbox_status(settings))


def look_at_scratch(settings: Settings) -> Iterator[Check]:
    """The folder itself, or the one in which the first worker will make it."""
    folder = next(each for each in (settings.scratch, *settings.scratch.parents) if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"nobody of ours can write to {folder}")
    disk = shutil.disk_usage(folder)
    yield judgements.judge_scratch(disk.free, disk.total, settings)


# ---------------------------------------------------------------- database and work


def look_at_database(db: Database, settings: Settings, disk: Path | None) -> Iterator[Check]:
    """The server, and how the work goes.  disk: a folder on the server's disk, where that is ours to see."""
    started, wall_clock = time.monotonic(), datetime.now(UTC)
    with db.begin() as tx:
        found = vitals.read_server(tx)
    took_s = time.monotonic() - started
    yield judgements.judge_server(found, took_s)
    yield judgements.judge_connections(found)
    free_bytes = None if disk is None else shutil.disk_usage(disk).free
    yield judgements.judge_database_disk(found.size_bytes, free_bytes)
    # What the server said lies somewhere between question and answer.
    skew_s = (wall_clock - found.now).total_seconds()
    yield judgements.judge_clock("clock", min(0.0, skew_s + took_s) + max(0.0, skew_s), "the database's")
    migrated = is_migrated(db)
    figure = "those of this version" if migrated else "not those of this version"
    yield verdict("tables", migrated, figure, "run `inspector bootstrap`: it migrates the database")
    if migrated:
        yield from _look_at_work(db, settings)


def _look_at_work(db: Database, settings: Settings) -> Iterator[Check]:
    overview = StatusReader(db, min_score=settings.min_score).overview(settings.bucket)
    alive = judgements.alive_workers(overview, settings)
    with db.begin() as tx:
        jobs = vitals.read_jobs(tx, settings.bucket)
    yield judgements.judge_workers(overview, settings)
    yield judgements.judge_lost(overview, settings)
    yield judgements.judge_queued(jobs, len(alive))
    yield judgements.judge_leases(jobs, settings)
    yield judgements.judge_failed(overview)
    yield judgements.judge_sweep(overview, settings)
    yield judgements.judge_breaker(alive)
    yield judgements.judge_monitor(overview)


# ---------------------------------------------------------------- S3 and SQS


def look_at_storage(bucket: Bucket, queue: Queue, settings: Settings) -> Iterator[Check]:
    """The same comparison as `inspector bootstrap --verify-only`, without the long wait."""
    steps = verify(
        bucket, queue, visibility_s=settings.visibility_timeout_s, cors_origins=settings.cors_origins
    )
    yield _of_step("S3 and SQS", next(steps))
    yield _s3_clock(bucket)
    queues_are_there = True
    for name, step in zip(RESOURCES, steps, strict=True):
        yield _of_step(name, step)
        queues_are_there &= step.outcome is not Outcome.FAILED or name not in QUEUES
    if queues_are_there:  # else there are no depths to be told
        yield from judgements.judge_depths(queue.depths())


def _s3_clock(bucket: Bucket) -> Check:
    """S3 refuses signatures made by a clock that is off; it tells its own time even when it refuses us."""
    told = bucket.clock()
    if told is None:
        return Check("S3 clock", Result.OK, "S3 does not tell its time")
    return judgements.judge_clock("S3 clock", (datetime.now(UTC) - told).total_seconds(), "that of S3")


def look_at_round_trip(bucket: Bucket, probe: Probe) -> Iterator[Check]:
    yield _of_step("round trip", Step("round trip", *round_trip(bucket, probe)))


def _of_step(name: str, step: Step) -> Check:
    return verdict(name, step.outcome is not Outcome.FAILED, step.sentence, BOOTSTRAP_REMEDY)


# ---------------------------------------------------------------- the web


def look_at_web(
    web: Web, newest_change: Callable[[], tuple[str, int] | None], pause: Callable[[float], None] = time.sleep
) -> Iterator[Check]:
    """newest_change: key and revision of what changed last, by the database."""
    started = time.monotonic()
    web.check_alive()
    yield Check("web", Result.OK, f"answers in {(time.monotonic() - started) * 1000:.0f} ms")
    try:
        said = web.readiness()
    except Unavailable as exc:
        remedy = (
            "the web lives, and cannot tell: mend what the other rows name; then restart it, if it stays so"
        )
        yield Check("readiness", Result.BAD, str(exc), remedy)
        return
    failed = [name for name, check in said.get("checks", {}).items() if not check["ok"]]
    yield judgements.judge_readiness(str(said["status"]), failed)
    newest = newest_change()
    if newest is None:
        yield Check("status board", Result.OK, "nothing has changed yet")
        return
    key, revision = newest
    yield judgements.judge_board(key, _shown(web, key, revision, pause), revision)


def _shown(web: Web, key: str, wanted: int, pause: Callable[[float], None]) -> int:
    """The revision that the web shows; it has a moment to hear of the one that is wanted."""
    shown = 0
    for _ in range(_BOARD_LOOKS):
        shown = int(web.one(key)["revision"])
        if shown >= wanted:
            break
        pause(_BOARD_PAUSE_S)
    return shown


def look_at_children(crash_looping: Callable[[], list[str]]) -> Iterator[Check]:
    yield judgements.judge_children(crash_looping())
