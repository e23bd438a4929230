"""Recordings: stretches of channels as ordered sets of videos, with their gaps, and who records them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Double, ScalarSelect, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import ProcessIdentity, RecordedSegment, Recording, RecordingGap, RecordingState
from inspector.processes import has_died
from inspector.store.tables import RecordingGapRow, RecordingRow, RecordingSegmentRow

KEY_PREFIX: Final = "recordings/"
_NOTE_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video lies in a recording: its second 0 is `start_s` of the stream."""

    recording_id: int
    channel: str
    start_s: float
    whole: bool = False  # it is all of the recording, in one object


def begin(tx: Session, bucket: str, channel: str, source: str, process: ProcessIdentity, spool: Path) -> int:
    """A recording begins now. Returns its id."""
    row = RecordingRow(
        bucket=bucket,
        channel=channel,
        source=source,
        state=RecordingState.RUNNING,
        host=process.host,
        pid=process.pid,
        boot=process.boot,
        process_started=process.started,
        spool=str(spool),
    )
    tx.add(row)
    tx.flush()
    return row.id


def beat(tx: Session, recording_id: int, *, duration_s: float, restarts: int, note: str | None) -> None:
    """The recorder lives, and has come so far. Whoever took it for dead was wrong: it runs.

    It may come late: what has ended stays so.
    """
    tx.execute(
        update(RecordingRow)
        .where(RecordingRow.id == recording_id, RecordingRow.state != RecordingState.ENDED)
        .values(
            state=RecordingState.RUNNING,
            ended_at=None,
            heartbeat_at=func.clock_timestamp(),
            duration_s=duration_s,
            restarts=restarts,
            note=_short(note),
        )
    )


def end(tx: Session, recording_id: int, state: RecordingState, note: str | None) -> None:
    """Nothing is added any more. Its length is that of its last segment or gap. May be told twice."""
    last = func.greatest(
        RecordingRow.duration_s, _of(RecordingSegmentRow, recording_id, func.max(RecordingSegmentRow.end_s))
    )
    tx.execute(
        update(RecordingRow)
        .where(RecordingRow.id == recording_id)
        .values(
            state=state,
            note=_short(note),
            ended_at=func.coalesce(RecordingRow.ended_at, func.clock_timestamp()),
            duration_s=last,
        )
    )


def add_segment(tx: Session, recording_id: int, segment: RecordedSegment) -> None:
    """A piece is whole, and waits for its upload. May be told twice."""
    statement = insert(RecordingSegmentRow).values(
        recording_id=recording_id,
        number=segment.number,
        key=segment.key,
        start_s=segment.start_s,
        end_s=segment.end_s,
        frames=segment.frames,
        size_bytes=segment.size_bytes,
    )
    tx.execute(statement.on_conflict_do_nothing())


def add_gap(tx: Session, recording_id: int, gap: RecordingGap) -> None:
    """The source delivered nothing for a while. May be told twice."""
    statement = insert(RecordingGapRow).values(
        recording_id=recording_id,
        number=gap.number,
        start_s=gap.start_s,
        end_s=gap.end_s,
        reason=gap.reason,
    )
    tx.execute(statement.on_conflict_do_nothing())


def note_uploaded(tx: Session, recording_id: int, number: int) -> None:
    """The piece lies in the bucket."""
    tx.execute(
        update(RecordingSegmentRow)
        .where(RecordingSegmentRow.recording_id == recording_id, RecordingSegmentRow.number == number)
        .values(uploaded_at=func.clock_timestamp())
    )


def lose_segment(tx: Session, recording_id: int, segment: RecordedSegment) -> None:
    """A piece was never uploaded, and is gone: it becomes a gap."""
    row = tx.get(RecordingSegmentRow, (recording_id, segment.number))
    if row is not None:
        tx.delete(row)
    # Numbers of its own: the recorder may live, and go on to count.
    add_gap(
        tx, recording_id, RecordingGap(-1 - segment.number, segment.start_s, segment.end_s, "segment_lost")
    )


def note_joined(tx: Session, recording_id: int, key: str) -> None:
    """All of it lies in one object."""
    tx.execute(update(RecordingRow).where(RecordingRow.id == recording_id).values(joined_key=key))


# ---------------------------------------------------------------- reading


def find(tx: Session, bucket: str, recording_id: int) -> Recording | None:
    query = _recordings().where(RecordingRow.bucket == bucket, RecordingRow.id == recording_id)
    return next(iter(_read(tx, query)), None)


def page(
    tx: Session,
    bucket: str,
    *,
    before: int | None = None,
    limit: int,
    channel: str | None = None,
    state: RecordingState | None = None,
) -> list[Recording]:
    """The newest first, from those with an id below `before`."""
    query = _recordings().where(RecordingRow.bucket == bucket)
    if before is not None:
        query = query.where(RecordingRow.id < before)
    if channel is not None:
        query = query.where(RecordingRow.channel == channel)
    if state is not None:
        query = query.where(RecordingRow.state == state)
    return _read(tx, query.order_by(RecordingRow.id.desc()).limit(limit))


def running(tx: Session, bucket: str) -> list[Recording]:
    """All that are marked so, the oldest first."""
    query = _recordings().where(RecordingRow.bucket == bucket, RecordingRow.state == RecordingState.RUNNING)
    return _read(tx, query.order_by(RecordingRow.id))


def orphans(tx: Session, bucket: str, *, boot: str, left: Collection[int] = ()) -> list[Recording]:
    """Those marked as running whose process has died; and those dead ones that left pieces: of this boot, as
    the rows say, or by their number.
    """
    waiting = _of(
        RecordingSegmentRow, RecordingRow.id, func.count().filter(RecordingSegmentRow.uploaded_at.is_(None))
    )
    query = _recordings().where(
        RecordingRow.bucket == bucket,
        RecordingRow.state != RecordingState.RUNNING,
        or_(RecordingRow.id.in_(left), and_(RecordingRow.boot == boot, waiting > 0)),
    )
    leavers = _read(tx, query.order_by(RecordingRow.id))
    return [each for each in (*running(tx, bucket), *leavers) if has_died(each)]


def spools(tx: Session, bucket: str, state: RecordingState) -> dict[int, Path]:
    """Of all recordings in this state: where their processes keep what is not uploaded yet."""
    query = select(RecordingRow.id, RecordingRow.spool).where(
        RecordingRow.bucket == bucket, RecordingRow.state == state
    )
    return {number: Path(spool) for number, spool in tx.execute(query)}


def spool_of(tx: Session, recording_id: int) -> Path:
    """Where its process keeps what is not uploaded yet."""
    return Path(tx.scalars(select(RecordingRow.spool).where(RecordingRow.id == recording_id)).one())


def segments(
    tx: Session, recording_id: int, *, after: int = -1, limit: int | None = None
) -> list[RecordedSegment]:
    """In the order of the stream, from those whose number is above `after`."""
    query = (
        select(RecordingSegmentRow)
        .where(RecordingSegmentRow.recording_id == recording_id, RecordingSegmentRow.number > after)
        .order_by(RecordingSegmentRow.number)
        .limit(limit)
    )
    return [
        RecordedSegment(
            row.number, row.key, row.start_s, row.end_s, row.frames, row.size_bytes, row.uploaded_at
        )
        for row in tx.scalars(query)
    ]


def gaps(tx: Session, recording_id: int) -> list[RecordingGap]:
    """In the order of the stream."""
    query = select(RecordingGapRow).where(RecordingGapRow.recording_id == recording_id)
    rows = tx.scalars(query.order_by(RecordingGapRow.start_s))
    return [RecordingGap(row.number, row.start_s, row.end_s, row.reason) for row in rows]


def places(tx: Session, bucket: str, keys: Collection[str]) -> Mapping[str, Place]:
    """Those of these keys that are pieces of recordings, or whole ones, and where they lie."""
    pieces = (
        select(RecordingSegmentRow.key, RecordingRow.id, RecordingRow.channel, RecordingSegmentRow.start_s)
        .join(RecordingRow, RecordingRow.id == RecordingSegmentRow.recording_id)
        .where(RecordingRow.bucket == bucket, RecordingSegmentRow.key.in_(keys))
    )
    found = {key: Place(i, channel, start_s) for key, i, channel, start_s in tx.execute(pieces)}
    whole = select(RecordingRow.joined_key, RecordingRow.id, RecordingRow.channel).where(
        RecordingRow.bucket == bucket, RecordingRow.joined_key.in_(keys)
    )
    return found | {key: Place(i, channel, 0.0, whole=True) for key, i, channel in tx.execute(whole) if key}


_Row = tuple[RecordingRow, float, int, int, int, float]


def _recordings() -> Select[*_Row]:
    mine = RecordingRow.id
    age_s = func.extract("epoch", func.clock_timestamp() - RecordingRow.heartbeat_at).cast(Double)
    missing_s = func.coalesce(func.sum(RecordingGapRow.end_s - RecordingGapRow.start_s), 0.0)
    return select(
        RecordingRow,
        age_s,
        _of(RecordingSegmentRow, mine, func.coalesce(func.sum(RecordingSegmentRow.size_bytes), 0)),
        _of(RecordingSegmentRow, mine, func.count()),
        _of(RecordingGapRow, mine, func.count()),
        _of(RecordingGapRow, mine, missing_s),
    )


def _of(table: Any, recording_id: Any, expression: Any) -> ScalarSelect[Any]:
    """Something computed over the rows of one recording."""
    return select(expression).where(table.recording_id == recording_id).scalar_subquery()


def _read(tx: Session, query: Select[*_Row]) -> list[Recording]:
    return [
        Recording(
            id=row.id,
            bucket=row.bucket,
            channel=row.channel,
            source=row.source,
            state=RecordingState(row.state),
            note=row.note,
            process=ProcessIdentity(row.host, row.pid, row.boot, row.process_started),
            heartbeat_age_s=age_s,
            started_at=row.started_at,
            ended_at=row.ended_at,
            duration_s=row.duration_s,
            size_bytes=int(size_bytes),
            restarts=row.restarts,
            segments=segments_,
            gaps=gaps_,
            missing_s=missing_s,
            joined_key=row.joined_key,
        )
        for row, age_s, size_bytes, segments_, gaps_, missing_s in tx.execute(query)
    ]


def _short(note: str | None) -> str | None:
    return note[:_NOTE_LIMIT] if note else None
