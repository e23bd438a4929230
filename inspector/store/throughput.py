"""How the work goes: what ended within the last hour, and what went wrong last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Double, func, select
from sqlalchemy.orm import Session

from inspector.model import State
from inspector.store.tables import VideoRow

STORED: Final = tuple(state for state in State if state is not State.PENDING)
_WINDOW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """Jobs that ended within the window; median_s: from queued to done."""

    done: int
    rejected: int
    failed: int
    median_s: float | None


def measure(tx: Session, bucket: str) -> Pace:
    """Of the last hour, by the database's clock."""
    took_s = func.extract("epoch", VideoRow.finished_at - VideoRow.queued_at).cast(Double)
    rows = tx.execute(
        select(VideoRow.state, func.count(), func.percentile_cont(0.5).within_group(took_s))
        .where(VideoRow.bucket == bucket, VideoRow.finished_at > func.clock_timestamp() - _WINDOW)
        .group_by(VideoRow.state)
    )
    found = {state: (count, median_s) for state, count, median_s in rows}
    none = (0, None)
    return Pace(
        done=found.get(State.DONE, none)[0],
        rejected=found.get(State.REJECTED, none)[0],
        failed=found.get(State.FAILED, none)[0],
        median_s=found.get(State.DONE, none)[1],
    )


def last_errors(tx: Session, bucket: str, *, limit: int) -> list[int]:
    """The videos that failed or were rejected, the last first."""
    return [
        *tx.scalars(
            select(VideoRow.id)
            .where(VideoRow.bucket == bucket, VideoRow.state.in_((State.FAILED, State.REJECTED)))
            .order_by(VideoRow.finished_at.desc(), VideoRow.id.desc())
            .limit(limit)
        )
    ]
