"""Jobs: claimed in one statement, kept by a lease, fenced by its token. All times are the database's.

Every function that writes on behalf of a worker finds its row by the lease's token. A token that is no longer
current finds nothing, changes nothing, and raises LeaseLost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from inspector.errors import LeaseLost, RejectReason
from inspector.model import Lease, ObjectState, Progress, State
from inspector.store import contents
from inspector.store.tables import CheckpointRow, VideoRow

_ERROR_LIMIT = 2000  # characters of an error that are kept


def claim(tx: Session, worker_id: str, *, lease_s: float, max_attempts: int) -> Lease | None:
    """Lease a job whose lease has run out, or else the most urgent one that is queued and due. None if there
    is none.

    Whose worker has died goes first: there are never more of them than workers, and behind a long queue they
    would wait for hours.
    """
    now = func.clock_timestamp()
    due = (
        select(VideoRow.id)
        .where(VideoRow.due_at <= now, VideoRow.attempts < max_attempts)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    expired = due.where(VideoRow.state == State.PROCESSING).order_by(VideoRow.due_at)
    queued = due.where(VideoRow.state == State.QUEUED).order_by(VideoRow.priority, VideoRow.due_at)
    row = tx.scalar(
        update(VideoRow)
        .where(VideoRow.id == func.coalesce(expired.scalar_subquery(), queued.scalar_subquery()))
        .values(
            state=State.PROCESSING,
            attempts=VideoRow.attempts + 1,
            due_at=now + timedelta(seconds=lease_s),
            lease_token=func.gen_random_uuid(),
            worker_id=worker_id,
            progress=_kept_progress(),
            eta_s=None,
            started_at=now,
        )
        .returning(VideoRow)
    )
    if row is None or row.lease_token is None:
        return None
    found = ObjectState(row.size_bytes, row.etag, row.last_modified, row.version_id)
    return Lease(row.id, row.lease_token, row.bucket, row.key, found, row.attempts, max_attempts)


def fail_exhausted(tx: Session, *, max_attempts: int) -> int:
    """Fail the jobs whose last permitted attempt ended with its worker. Returns how many there were."""
    now = func.clock_timestamp()
    spent = (
        select(VideoRow.id)
        .where(
            VideoRow.state.in_((State.QUEUED, State.PROCESSING)),
            VideoRow.due_at <= now,
            VideoRow.attempts >= max_attempts,
        )
        .with_for_update(skip_locked=True)
    )
    result = tx.execute(
        update(VideoRow)
        .where(VideoRow.id.in_(spent.scalar_subquery()))
        .values(**_ended(State.FAILED), error=func.coalesce(VideoRow.error, "the worker died, every time"))
        .returning(VideoRow.id)
    )
    return len(result.all())


def extend(tx: Session, lease: Lease, *, lease_s: float) -> None:
    """Renew the lease from now on."""
    _write(tx, lease, due_at=func.clock_timestamp() + timedelta(seconds=lease_s))


def lock(tx: Session, lease: Lease) -> None:
    """Hold the job until the transaction ends: nobody can take it over before."""
    row = tx.scalar(select(VideoRow.id).where(*_held_by(lease)).with_for_update())
    if row is None:
        raise LeaseLost(lease.key)


def report(tx: Session, lease: Lease, progress: Progress) -> None:
    """Show how far the inspection is; what an attempt does again is no step back."""
    _write(tx, lease, progress=func.greatest(VideoRow.progress, progress.fraction), eta_s=progress.eta_s)


def name_content(tx: Session, lease: Lease, content_id: int) -> None:
    """The video is this content; its results follow."""
    _write(tx, lease, content_id=content_id)


def finish(tx: Session, lease: Lease, content_id: int) -> None:
    """The video is inspected."""
    _write(tx, lease, **_ended(State.DONE), content_id=content_id, progress=1.0, reason=None, error=None)
    contents.touch_neighbours(tx, content_id)


def reject(tx: Session, lease: Lease, reason: RejectReason, detail: str) -> None:
    """The media itself is bad: final."""
    _write(tx, lease, **_ended(State.REJECTED), content_id=None, reason=reason, error=_clip(detail))


def retry(tx: Session, lease: Lease, error: str, *, pause_s: float) -> State:
    """The attempt failed: queue another one after a pause, or fail when there is none left."""
    if lease.attempt >= lease.max_attempts:
        _write(tx, lease, **_ended(State.FAILED), error=_clip(error))
        return State.FAILED
    _requeue(tx, lease, pause_s, error=_clip(error))
    return State.QUEUED


def release(tx: Session, lease: Lease, *, pause_s: float = 0.0, error: str | None = None) -> None:
    """Hand the job back as if it had never been claimed: what ended the attempt was no fault of the video.

    error: what is shown as the reason meanwhile.
    """
    shown = _clip(error) if error else None
    _requeue(tx, lease, pause_s, attempts=VideoRow.attempts - 1, error=shown)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A failed job that the dead-letter queue has not been told of."""

    video_id: int
    bucket: str
    key: str
    error: str


def undelivered(tx: Session, limit: int = 10) -> Iterator[DeadLetter]:
    """Failed jobs that still have to be dead-lettered; each is marked when the next one is asked for.

    Their rows stay locked until the transaction ends, so two workers never deliver the same one.
    """
    rows = tx.scalars(
        select(VideoRow)
        .where(VideoRow.state == State.FAILED, VideoRow.dead_lettered.is_(False))
        .order_by(VideoRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        yield DeadLetter(row.id, row.bucket, row.key, row.error or "")
        row.dead_lettered = True


def _held_by(lease: Lease) -> tuple[Any, ...]:
    return (
        VideoRow.id == lease.video_id,
        VideoRow.lease_token == lease.token,
        VideoRow.state == State.PROCESSING,
    )


def _write(tx: Session, lease: Lease, **values: Any) -> None:
    changed = tx.execute(
        update(VideoRow).where(*_held_by(lease)).values(**values).returning(VideoRow.id)
    ).first()
    if changed is None:
        raise LeaseLost(lease.key)


def _kept_progress() -> Any:
    """How far the job is without the worker that was at it: its last checkpoint."""
    newest = select(func.max(CheckpointRow.progress)).where(CheckpointRow.video_id == VideoRow.id)
    return func.coalesce(newest.correlate(VideoRow).scalar_subquery(), 0.0)


def _requeue(tx: Session, lease: Lease, pause_s: float, **values: Any) -> None:
    _write(
        tx,
        lease,
        state=State.QUEUED,
        due_at=func.clock_timestamp() + timedelta(seconds=pause_s),
        lease_token=None,
        worker_id=None,
        progress=_kept_progress(),
        eta_s=None,
        **values,
    )


def _ended(state: State) -> dict[str, Any]:
    return {
        "state": state,
        "lease_token": None,
        "worker_id": None,
        "eta_s": None,
        "finished_at": func.clock_timestamp(),
    }


def _clip(error: str) -> str:
    return error.replace("\x00", "")[:_ERROR_LIMIT]
