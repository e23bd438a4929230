"""Videos: what lies under each key, made to agree with the bucket. Writes here start or end jobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ARRAY, Table, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import ObjectState, Priority, State
from inspector.store import contents
from inspector.store.tables import VideoRow


@dataclass(frozen=True, slots=True)
class KnownVideo:
    """What the database believes about one key."""

    id: int
    key: str
    object: ObjectState
    sequencer: str | None
    state: State


def age(tx: Session, found: ObjectState) -> timedelta:
    """How long ago this version was stored, by the database's clock."""
    now: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return now - found.last_modified


def lock_key(tx: Session, bucket: str, key: str) -> None:
    """Wait until nobody else looks at this key, and hold it until the transaction ends."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{bucket}/{key}", 0))))


def lock_keys(tx: Session, bucket: str, keys: Collection[str]) -> None:
    """The same for several keys at once, always in the same order, so that nobody waits in a circle."""
    names = bindparam("names", [f"{bucket}/{key}" for key in keys], ARRAY(Text()))
    locks = select(func.hashtextextended(func.unnest(names), 0).label("lock")).subquery()
    ordered = select(locks.c.lock).distinct().order_by(locks.c.lock).subquery()
    tx.execute(select(func.pg_advisory_xact_lock(ordered.c.lock)))


def known_keys(tx: Session, bucket: str, keys: Collection[str]) -> set[str]:
    """Those of the keys that have a video, removed or not."""
    named = bindparam("keys", list(keys), ARRAY(Text()))
    return set(tx.scalars(select(VideoRow.key).where(VideoRow.bucket == bucket, VideoRow.key == any_(named))))


def find(tx: Session, bucket: str, key: str) -> KnownVideo | None:
    """The video of exactly this key."""
    row = tx.scalar(select(VideoRow).where(VideoRow.bucket == bucket, VideoRow.key == key))
    return None if row is None else _known(row)


def find_keys(tx: Session, bucket: str, keys: Collection[str]) -> dict[str, KnownVideo]:
    """The videos of these keys, removed ones among them, as far as there are any."""
    named = bindparam("keys", list(keys), ARRAY(Text()))
    rows = tx.scalars(select(VideoRow).where(VideoRow.bucket == bucket, VideoRow.key == any_(named)))
    return {row.key: _known(row) for row in rows}


def find_range(
    tx: Session, bucket: str, after: str, until: str | None, *, queued_before: datetime
) -> list[KnownVideo]:
    """The videos, removed ones left out, with `after < key <= until` (None: no end), by key."""
    query = select(VideoRow).where(
        VideoRow.bucket == bucket,
        VideoRow.key > after,
        VideoRow.state != State.REMOVED,
        VideoRow.queued_at < queued_before,
    )
    if until is not None:
        query = query.where(VideoRow.key <= until)
    return [_known(row) for row in tx.scalars(query.order_by(VideoRow.key))]


def enqueue(
    tx: Session,
    bucket: str,
    key: str,
    found: ObjectState,
    *,
    sequencer: str | None,
    priority: Priority = Priority.UPLOAD,
) -> int:
    """Make the key's video what was found, with a fresh job. Whoever held a lease on the old one loses it.

    The content it named before leaves the results with it.
    """
    named_before = tx.scalar(
        select(VideoRow.content_id).where(VideoRow.bucket == bucket, VideoRow.key == key).with_for_update()
    )
    fresh = {
        "etag": found.etag,
        "size_bytes": found.size_bytes,
        "last_modified": found.last_modified,
        "version_id": found.version_id,
        "content_id": None,
        "state": State.QUEUED,
        "reason": None,
        "error": None,
        "priority": priority,
        "attempts": 0,
        "due_at": func.clock_timestamp(),
        "lease_token": None,
        "worker_id": None,
        "progress": 0.0,
        "eta_s": None,
        "missed_at": None,
        "dead_lettered": False,
        "queued_at": func.clock_timestamp(),
        "started_at": None,
        "finished_at": None,
    }
    if sequencer is not None:
        fresh["sequencer"] = sequencer
    statement = insert(VideoRow).values(bucket=bucket, key=key, name=file_name(key), **fresh)
    statement = statement.on_conflict_do_update(constraint="videos_bucket_key", set_=fresh)
    video_id = tx.execute(statement.returning(VideoRow.id)).scalar_one()
    _touch_results(tx, named_before)
    return video_id


def add(
    tx: Session,
    bucket: str,
    found: Sequence[tuple[str, ObjectState, str | None]],
    priority: Priority = Priority.UPLOAD,
) -> None:
    """Queue the videos of keys that have none: (key, what lies there, sequencer). Their locks are held."""
    now = func.clock_timestamp()
    tx.connection().execute(
        insert(cast(Table, VideoRow.__table__)).values(
            state=State.QUEUED, priority=priority, due_at=now, queued_at=now
        ),
        [
            {
                "bucket": bucket,
                "key": key,
                "name": file_name(key),
                "etag": object_.etag,
                "size_bytes": object_.size_bytes,
                "last_modified": object_.last_modified,
                "version_id": object_.version_id,
                "sequencer": sequencer,
            }
            for key, object_, sequencer in found
        ],
    )


def remove(tx: Session, known: KnownVideo, *, sequencer: str | None) -> None:
    """The object is gone: the video leaves all results. Its content stays known, should it come back."""
    named = tx.scalar(
        update(VideoRow)
        .where(VideoRow.id == known.id)
        .values(
            state=State.REMOVED,
            sequencer=sequencer or known.sequencer,
            lease_token=None,
            worker_id=None,
            missed_at=None,
            eta_s=None,
            finished_at=func.clock_timestamp(),
        )
        .returning(VideoRow.content_id)
    )
    _touch_results(tx, named)


def note_seen(tx: Session, known: KnownVideo, *, sequencer: str | None) -> None:
    """The object is as we knew it; remember the newest sequencer, so that older events can be told."""
    tx.execute(
        update(VideoRow)
        .where(VideoRow.id == known.id)
        .values(sequencer=sequencer or known.sequencer, missed_at=None)
    )


def mark_missed(tx: Session, video_ids: Collection[int]) -> None:
    """A sweep did not find these in the listing; they are removed at its end, if they are not too many."""
    tx.execute(update(VideoRow).where(VideoRow.id.in_(video_ids)).values(missed_at=func.clock_timestamp()))


def missed(tx: Session, bucket: str) -> list[str]:
    """Keys that the sweep did not find."""
    return list(
        tx.scalars(select(VideoRow.key).where(VideoRow.bucket == bucket, VideoRow.missed_at.is_not(None)))
    )


def count_present(tx: Session, bucket: str) -> int:
    """How many videos are not removed."""
    return (
        tx.scalar(select(func.count()).where(VideoRow.bucket == bucket, VideoRow.state != State.REMOVED)) or 0
    )


def other_bucket(tx: Session, bucket: str) -> str | None:
    """Another bucket of which there are videos here; None if there is none, or no table yet."""
    if tx.scalar(select(func.to_regclass(VideoRow.__tablename__))) is None:
        return None
    others = (VideoRow.bucket < bucket) | (VideoRow.bucket > bucket)  # by the index, unlike !=
    return tx.scalar(select(VideoRow.bucket).where(others, VideoRow.state != State.REMOVED).limit(1))


def file_name(key: str) -> str:
    """The last part of a key: `a/b.mp4` and `a/b.mp4/` are both called `b.mp4`."""
    return key.rstrip("/").rpartition("/")[2] or key


def _touch_results(tx: Session, content_id: int | None) -> None:
    """Those who show a video of this content among their duplicates must show it no longer."""
    if content_id is not None:
        contents.touch_neighbours(tx, content_id)


def _known(row: VideoRow) -> KnownVideo:
    found = ObjectState(row.size_bytes, row.etag, row.last_modified, row.version_id)
    return KnownVideo(row.id, row.key, found, row.sequencer, State(row.state))
