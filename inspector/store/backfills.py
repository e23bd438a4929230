"""How far a look at what has long been in the bucket is, so that it can stop and go on at any time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import Priority, State
from inspector.store.tables import BackfillRow, VideoRow


@dataclass(frozen=True, slots=True)
class BackfillState:
    """position: what the source calls the place that was come to, "" at the start.  total: keys in all.

    queued: jobs that were made.  forbidden: objects that S3 keeps from us.
    """

    position: str = ""
    total: int | None = None
    looked_at: int = 0
    queued: int = 0
    forbidden: int = 0


def load(tx: Session, bucket: str, source: str) -> BackfillState:
    """Where a backfill of this source stands; at the start if there was none, or the last one is complete."""
    row = tx.scalars(
        select(BackfillRow).where(
            BackfillRow.bucket == bucket, BackfillRow.source == source, BackfillRow.finished_at.is_(None)
        )
    ).first()
    if row is None:
        return BackfillState()
    return BackfillState(row.position, row.total, row.looked_at, row.queued, row.forbidden)


def save(tx: Session, bucket: str, source: str, state: BackfillState, *, finished: bool = False) -> None:
    """Remember how far it is."""
    values = {
        "position": state.position,
        "total": state.total,
        "looked_at": state.looked_at,
        "queued": state.queued,
        "forbidden": state.forbidden,
        "finished_at": func.clock_timestamp() if finished else None,
    }
    statement = insert(BackfillRow).values(bucket=bucket, source=source, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["bucket", "source"], set_=values))


def forget(tx: Session, bucket: str, source: str) -> None:
    """The next backfill of this source begins at the start."""
    tx.execute(
        update(BackfillRow)
        .where(BackfillRow.bucket == bucket, BackfillRow.source == source)
        .values(finished_at=func.clock_timestamp())
    )


def count_waiting(tx: Session, bucket: str) -> int:
    """How many videos that have long been there are not inspected yet, whoever found them."""
    waiting = select(func.count()).where(
        VideoRow.bucket == bucket,
        VideoRow.state.in_((State.QUEUED, State.PROCESSING)),
        VideoRow.priority == Priority.BACKLOG,
    )
    return tx.scalar(waiting) or 0
