"""Which contents are of an older algorithm, and the wish that they be brought up to date.

What is to be done stands in the contents themselves, so there is no queue that could be wrong: a reindex may
stop, or die, at any moment, and goes on with what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Double, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import ALGORITHM, COMPARABLE_SINCE, Library, ObjectState, State
from inspector.store.tables import ContentRow, ReindexFaultRow, ReindexRow, VideoRow

_ERROR_LIMIT: Final = 500
_FIRST_PAUSE: Final = timedelta(minutes=1)  # before a content is tried again that failed; it doubles

Place = tuple[int, int]  # (algorithm, id) of a content: the order in which they are brought up to date
START: Final[Place] = (-1, 0)


@dataclass(frozen=True, slots=True)
class Outdated:
    """A content of an older algorithm, or one whose search has been cut short, and where its bytes lie."""

    id: int
    sha256: bytes
    algorithm: int
    key: str
    found: ObjectState

    @property
    def place(self) -> Place:
        return self.algorithm, self.id


@dataclass(frozen=True, slots=True)
class ReindexState:
    """running: somebody wishes it, and has not cancelled it.  total: contents that were outdated at first.

    left: those that still are.  failed: those of them that are given up.
    """

    running: bool
    total: int
    left: int
    failed: int


@dataclass(frozen=True, slots=True)
class Work:
    """What a reindex has to do: contents whose fingerprints are still good, and others by their media.

    apart: those that new uploads are not compared with until then.
    """

    from_fingerprints: int
    to_decode: int
    media_s: float
    size_bytes: int
    apart: int


def start(tx: Session) -> None:
    """Let the workers begin, or go on; what was given up is tried again."""
    running = {"total": _count(tx), "cancelled": False}
    statement = insert(ReindexRow).values(algorithm=ALGORITHM, **running)
    going_on = {"cancelled": False, "total": func.greatest(ReindexRow.total, running["total"])}
    tx.execute(statement.on_conflict_do_update(index_elements=["algorithm"], set_=going_on))
    tx.execute(delete(ReindexFaultRow))


def cancel(tx: Session) -> bool:
    """Let the workers do no more of it. Returns whether it was running."""
    stopped = update(ReindexRow).where(ReindexRow.algorithm == ALGORITHM, ReindexRow.cancelled.is_(False))
    return tx.execute(stopped.values(cancelled=True).returning(ReindexRow.algorithm)).first() is not None


def is_wanted(tx: Session) -> bool:
    """Whether there is anything for workers to do."""
    wish = select(ReindexRow.algorithm).where(
        ReindexRow.algorithm == ALGORITHM, ReindexRow.cancelled.is_(False)
    )
    return tx.scalar(wish) is not None


def started_at(tx: Session) -> datetime:
    """Since when it is wished; what was inspected since is a new upload. It must be running."""
    return tx.execute(select(ReindexRow.started_at).where(ReindexRow.algorithm == ALGORITHM)).scalar_one()


def load(tx: Session, *, max_attempts: int) -> ReindexState:
    row = tx.scalars(select(ReindexRow).where(ReindexRow.algorithm == ALGORITHM)).first()
    given_up = select(func.count()).where(ReindexFaultRow.attempts >= max_attempts)
    return ReindexState(
        running=row is not None and not row.cancelled,
        total=row.total if row is not None else 0,
        left=_count(tx),
        failed=tx.scalar(given_up) or 0,
    )


def estimate(tx: Session, *, seen_since: int) -> Work:
    """What there is to do. seen_since: fingerprints of this version are still good."""
    good = ContentRow.algorithm >= seen_since
    size = ContentRow.media["size_bytes"].astext.cast(Double)
    from_fingerprints, to_decode, media_s, size_bytes, apart = tx.execute(
        select(
            func.count().filter(good),
            func.count().filter(~good),
            func.coalesce(func.sum(ContentRow.duration_s).filter(~good), 0.0),
            func.coalesce(func.sum(size).filter(~good), 0.0),
            func.count().filter(ContentRow.algorithm < COMPARABLE_SINCE),
        ).where(_outdated(), _named())
    ).one()
    return Work(from_fingerprints, to_decode, media_s, int(size_bytes), apart)


def next_outdated(tx: Session, after: Place, *, max_attempts: int, limit: int) -> list[Outdated]:
    """The contents that come after a place, those left out that failed a moment ago, or too often."""
    excused = select(ReindexFaultRow.content_id).where(
        ReindexFaultRow.content_id == ContentRow.id,
        or_(
            ReindexFaultRow.attempts >= max_attempts,
            ReindexFaultRow.due_at > func.clock_timestamp(),
        ),
    )
    order = tuple_(ContentRow.algorithm, ContentRow.id)
    rows = tx.execute(
        select(ContentRow.id, ContentRow.sha256, ContentRow.algorithm)
        .where(_outdated(), _named(), ~excused.exists(), order > after)
        .order_by(ContentRow.algorithm, ContentRow.id)
        .limit(limit)
    ).all()
    return [found for row in rows if (found := _with_video(tx, *row)) is not None]


def is_outdated(tx: Session, content_id: int) -> bool:
    """Whether nobody has brought it up to date meanwhile."""
    return tx.scalar(select(ContentRow.id).where(ContentRow.id == content_id, _outdated())) is not None


def note_fault(tx: Session, content_id: int, error: str) -> None:
    """It could not be brought up to date this time. Nothing happens if it is gone meanwhile."""
    there = (
        select(ContentRow.id).where(ContentRow.id == content_id).with_for_update(read=True, key_share=True)
    )
    if tx.scalar(there) is None:
        return
    first = insert(ReindexFaultRow).values(
        content_id=content_id,
        attempts=1,
        error=error[:_ERROR_LIMIT],
        due_at=func.clock_timestamp() + _FIRST_PAUSE,
    )
    again = {
        "attempts": ReindexFaultRow.attempts + 1,
        "error": first.excluded.error,
        "due_at": func.clock_timestamp() + _FIRST_PAUSE * func.power(2, ReindexFaultRow.attempts),
    }
    tx.execute(first.on_conflict_do_update(index_elements=["content_id"], set_=again))


def forget_fault(tx: Session, content_id: int) -> None:
    tx.execute(delete(ReindexFaultRow).where(ReindexFaultRow.content_id == content_id))


def faults(tx: Session, *, limit: int) -> list[tuple[str, str]]:
    """(key, error) of contents that could not be brought up to date."""
    rows = tx.execute(
        select(func.min(VideoRow.key), ReindexFaultRow.error)
        .join(VideoRow, VideoRow.content_id == ReindexFaultRow.content_id)
        .group_by(ReindexFaultRow.content_id, ReindexFaultRow.error)
        .order_by(func.min(VideoRow.key))
        .limit(limit)
    )
    return [(key, error) for key, error in rows]


def _outdated() -> ColumnElement[bool]:
    older = (ContentRow.algorithm < ALGORITHM) | ContentRow.searched.is_(False)
    return older & (ContentRow.library == Library.BUCKET)


def _named() -> ColumnElement[bool]:
    """Whether an inspected video names the content; of others there are no bytes, or a job is at them."""
    video = select(VideoRow.id).where(VideoRow.content_id == ContentRow.id, VideoRow.state == State.DONE)
    return video.exists()


def _count(tx: Session) -> int:
    return tx.scalar(select(func.count()).select_from(ContentRow).where(_outdated(), _named())) or 0


def _with_video(tx: Session, content_id: int, sha256: bytes, algorithm: int) -> Outdated | None:
    video = tx.scalars(
        select(VideoRow)
        .where(VideoRow.content_id == content_id, VideoRow.state == State.DONE)
        .order_by(VideoRow.id)
        .limit(1)
    ).first()
    if video is None:
        return None
    found = ObjectState(video.size_bytes, video.etag, video.last_modified, video.version_id)
    return Outdated(content_id, sha256, algorithm, video.key, found)
