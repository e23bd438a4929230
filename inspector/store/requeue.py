"""Putting videos back into the queue: on a person's word, or because their worker is dead."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from inspector.model import State
from inspector.store import contents
from inspector.store.tables import ContentRow, VideoRow

_SETTLED = (State.DONE, State.REJECTED, State.FAILED)
_OF_NO_ALGORITHM = 0


def redrive(tx: Session, bucket: str, video_ids: Collection[int] | None = None) -> int:
    """Inspect again what has failed: these videos, or None for all. Returns how many there were."""
    failed = [VideoRow.bucket == bucket, VideoRow.state == State.FAILED]
    if video_ids is not None:
        failed.append(VideoRow.id.in_(video_ids))
    return _requeue(tx, [*tx.scalars(select(VideoRow.id).where(*failed))])


def reinspect(tx: Session, video_id: int) -> int:
    """Inspect a settled video from the start, and with it all videos of the same content.

    The content counts as seen by no algorithm until then, so that its bytes alone do not settle the job.
    Returns how many videos were queued; 0 if this one is not settled.
    """
    row = tx.execute(
        select(VideoRow.content_id).where(VideoRow.id == video_id, VideoRow.state.in_(_SETTLED))
    ).first()
    if row is None:
        return 0
    if row.content_id is None:
        return _requeue(tx, [video_id])
    same = select(VideoRow.id).where(VideoRow.content_id == row.content_id, VideoRow.state.in_(_SETTLED))
    requeued = _requeue(tx, [*tx.scalars(same)])
    contents.touch_neighbours(tx, row.content_id)
    tx.execute(update(ContentRow).where(ContentRow.id == row.content_id).values(algorithm=_OF_NO_ALGORITHM))
    return requeued


def expired(tx: Session, bucket: str) -> int:
    """Put back jobs in work whose lease has run out. Returns how many.

    Any claim takes them anyway; like this they are shown for what they are, and everyone is told of them. The
    attempt stays counted. Whoever held the lease can write no more.
    """
    now = func.clock_timestamp()
    left = (
        select(VideoRow.id)
        .where(VideoRow.bucket == bucket, VideoRow.state == State.PROCESSING, VideoRow.due_at < now)
        .order_by(VideoRow.id)
        .with_for_update(skip_locked=True)
    )
    rows = tx.execute(
        update(VideoRow)
        .where(VideoRow.id.in_(left.scalar_subquery()))
        .values(state=State.QUEUED, lease_token=None, worker_id=None, eta_s=None)
        .returning(VideoRow.id)
    )
    return len(rows.all())


def _requeue(tx: Session, video_ids: Collection[int]) -> int:
    """Give settled videos a fresh job. The rows are locked in the order of their ids."""
    ordered = (
        select(VideoRow.id)
        .where(VideoRow.id.in_(video_ids), VideoRow.state.in_(_SETTLED))
        .order_by(VideoRow.id)
        .with_for_update()
    )
    ids = list(tx.scalars(ordered))
    tx.execute(
        update(VideoRow)
        .where(VideoRow.id.in_(ids))
        .values(
            state=State.QUEUED,
            reason=None,
            error=None,
            attempts=0,
            progress=0.0,
            eta_s=None,
            dead_lettered=False,
            due_at=func.clock_timestamp(),
            queued_at=func.clock_timestamp(),
            started_at=None,
            finished_at=None,
        )
    )
    return len(ids)
