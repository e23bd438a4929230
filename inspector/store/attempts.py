"""What became of every attempt at a video: a trigger writes it with the lease, so no code can forget to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.store.tables import AttemptRow


class AttemptOutcome(StrEnum):
    """How an attempt ended.

    LOST: its worker was silent for longer than its lease.  RELEASED: handed back, for no fault of the video.
    RETRIED: it failed, and another one follows.  SUPERSEDED: the object was overwritten meanwhile.
    """

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    RETRIED = "retried"
    RELEASED = "released"
    LOST = "lost"
    SUPERSEDED = "superseded"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """ended_at, outcome: None while it lasts. reason: why it did not succeed."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    reason: str | None


def of_video(tx: Session, video_id: int) -> list[Attempt]:
    """The attempts at a video, the oldest first; the last 50 are known."""
    query = select(AttemptRow).where(AttemptRow.video_id == video_id).order_by(AttemptRow.started_at)
    return [
        Attempt(
            row.number,
            row.worker_id,
            row.started_at,
            row.ended_at,
            AttemptOutcome(row.outcome) if row.outcome else None,
            row.reason,
        )
        for row in tx.scalars(query)
    ]
