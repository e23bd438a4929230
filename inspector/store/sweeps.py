"""How far the comparison of bucket and database is: one sweep at a time, resumed where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.store.database import Database
from inspector.store.locks import only_one
from inspector.store.tables import SweepRow, VideoRow


@dataclass(frozen=True, slots=True)
class SweepState:
    """position: the last key compared. due: whether the next step may be taken now."""

    position: str
    running: bool
    due: bool
    blocked: str | None
    now: datetime  # by the database's clock


@contextmanager
def only_sweeper(db: Database, bucket: str, *, wait_s: float = 0.0) -> Iterator[bool]:
    """Whether this is the one process that may sweep the bucket; so for the length of the block.

    wait_s: how long to wait for another process to finish its slice.
    """
    with only_one(db, f"sweep:{bucket}", wait_s=wait_s) as mine:
        yield mine


def load(tx: Session, bucket: str, *, interval_s: float) -> SweepState:
    """Where the bucket's sweep stands."""
    tx.execute(insert(SweepRow).values(bucket=bucket).on_conflict_do_nothing())
    row = tx.execute(
        select(
            SweepRow.position,
            SweepRow.blocked,
            SweepRow.started_at.is_not(None).label("running"),
            (
                SweepRow.started_at.is_not(None)
                | SweepRow.finished_at.is_(None)
                | (SweepRow.finished_at < func.clock_timestamp() - timedelta(seconds=interval_s))
            ).label("due"),
            func.clock_timestamp().label("now"),
        ).where(SweepRow.bucket == bucket)
    ).one()
    return SweepState(row.position, row.running, row.due, row.blocked, row.now)


def start(tx: Session, bucket: str) -> None:
    """Begin a new sweep; nothing is missed yet."""
    _set(tx, bucket, position="", started_at=func.clock_timestamp())
    tx.execute(
        update(VideoRow)
        .where(VideoRow.bucket == bucket, VideoRow.missed_at.is_not(None))
        .values(missed_at=None)
    )


def advance(tx: Session, bucket: str, position: str) -> None:
    _set(tx, bucket, position=position)


def finish(tx: Session, bucket: str, *, blocked: str | None) -> None:
    """The sweep is over. blocked: why what was missed has not been removed."""
    _set(tx, bucket, position="", started_at=None, finished_at=func.clock_timestamp(), blocked=blocked)


def ask_for_one(tx: Session, bucket: str) -> None:
    """Make the next sweep due at once."""
    _set(tx, bucket, finished_at=None)


def _set(tx: Session, bucket: str, **values: Any) -> None:
    tx.execute(update(SweepRow).where(SweepRow.bucket == bucket).values(**values))
