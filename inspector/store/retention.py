"""What is kept longer than somebody wants to keep it: counted, and forgotten a piece at a time.

What people decided, and what was done because of it, is no part of this: it speaks of bytes, takes little
room, and says what is not to be asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, select, text
from sqlalchemy.orm import Session

from inspector.model import Library, State
from inspector.store import contents, outbox
from inspector.store.tables import ContentRow, LandmarkRow, VideoRow

#: A content is named by its video in the transaction that stores it, or a moment later.
_SETTLED: Final = timedelta(days=1)
#: With its indexes, where PostgreSQL has not counted the table yet.
_POSTING_BYTES: Final = 75
_COUNTED: Final = 10_000  # of fewer postings the tables' least sizes would say too much


class Kind(StrEnum):
    VIDEOS = "removed videos"
    CONTENTS = "contents that no video names"
    SCANS = "scanned files"
    DELIVERIES = "messages to webhooks and topics"


@dataclass(frozen=True, slots=True)
class Rules:
    """How long things are kept; None: for ever. removed: what is known of a video after it was removed."""

    removed: timedelta | None = None
    scans: timedelta | None = None
    deliveries: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Surplus:
    """What is kept too long. size_bytes: about what it takes; 0: next to nothing."""

    kind: Kind
    count: int
    size_bytes: int = 0


def survey(tx: Session, bucket: str, rules: Rules) -> list[Surplus]:
    """What `prune` would forget, of each kind for which there is a rule."""
    found = []
    if rules.removed is not None:
        removed = tx.scalar(select(func.count()).where(*_long_removed(bucket, rules.removed))) or 0
        found += [
            Surplus(Kind.VIDEOS, removed),
            _measure(tx, Kind.CONTENTS, _unnamed(rules.removed)),
        ]
    if rules.scans is not None:
        found.append(_measure(tx, Kind.SCANS, _scanned(rules.scans)))
    if rules.deliveries is not None:
        found.append(Surplus(Kind.DELIVERIES, outbox.count_old(tx, rules.deliveries)))
    return found


def prune(tx: Session, bucket: str, rules: Rules, *, limit: int) -> dict[Kind, int]:
    """Forget up to `limit` of each kind. Returns how many of each; call it again until there are none."""
    done: dict[Kind, int] = {}
    if rules.removed is not None:
        done[Kind.VIDEOS] = _forget_videos(tx, bucket, rules.removed, limit)
        done[Kind.CONTENTS] = _forget_contents(tx, _unnamed(rules.removed), limit)
    if rules.scans is not None:
        done[Kind.SCANS] = _forget_contents(tx, _scanned(rules.scans), limit)
    if rules.deliveries is not None:
        done[Kind.DELIVERIES] = outbox.forget_old(tx, rules.deliveries)
    return done


def _long_removed(bucket: str, kept_for: timedelta) -> tuple[ColumnElement[bool], ...]:
    return (VideoRow.bucket == bucket, *_removed_before(kept_for))


def _removed_before(kept_for: timedelta) -> tuple[ColumnElement[bool], ...]:
    return VideoRow.state == State.REMOVED, VideoRow.finished_at < func.clock_timestamp() - kept_for


def _unnamed(kept_for: timedelta) -> ColumnElement[bool]:
    """Contents that no video names, those left out that were removed so long ago."""
    naming = select(VideoRow.id).where(
        VideoRow.content_id == ContentRow.id, ~and_(*_removed_before(kept_for))
    )
    settled = ContentRow.created_at < func.clock_timestamp() - _SETTLED
    return and_(ContentRow.library == Library.BUCKET, settled, ~naming.exists())


def _scanned(kept_for: timedelta) -> ColumnElement[bool]:
    return and_(ContentRow.library == Library.SCAN, ContentRow.created_at < func.clock_timestamp() - kept_for)


def _measure(tx: Session, kind: Kind, which: ColumnElement[bool]) -> Surplus:
    """How many contents these are, and the room that they and their landmarks take."""
    count, sample_bytes = tx.execute(
        select(func.count(), func.coalesce(func.sum(func.pg_column_size(ContentRow.samples)), 0)).where(which)
    ).one()
    postings = select(func.count()).where(LandmarkRow.content_id.in_(select(ContentRow.id).where(which)))
    return Surplus(kind, count, sample_bytes + round((tx.scalar(postings) or 0) * _posting_bytes(tx)))


def _posting_bytes(tx: Session) -> float:
    """What a posting takes, with its share of the indexes."""
    size_bytes, rows = tx.execute(
        text("SELECT pg_total_relation_size(oid), reltuples FROM pg_class WHERE oid = 'landmarks'::regclass")
    ).one()
    return float(size_bytes / rows) if rows > _COUNTED else _POSTING_BYTES


def _forget_videos(tx: Session, bucket: str, kept_for: timedelta, limit: int) -> int:
    chosen = (
        select(VideoRow.id)
        .where(*_long_removed(bucket, kept_for))
        .order_by(VideoRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(tx.scalars(chosen))
    tx.execute(delete(VideoRow).where(VideoRow.id.in_(ids)))
    return len(ids)


def _forget_contents(tx: Session, which: ColumnElement[bool], limit: int) -> int:
    """With fingerprints, landmarks and matches. Whoever is about to name one holds it, or finds it gone."""
    chosen = (
        select(ContentRow.id)
        .where(which)
        .order_by(ContentRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(tx.scalars(chosen))
    for content_id in ids:
        contents.forget(tx, content_id)
    return len(ids)
