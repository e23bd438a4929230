"""What a recording shares with other videos, in the stream's time and across its joins. Joined when read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspector.matching.joining import join
from inspector.matching.verdict import ALL_OF_IT
from inspector.model import DuplicateStatus, RecordedSegment, Segment, Verdict, VideoStatus
from inspector.store import recordings
from inspector.store.database import Database
from inspector.store.recordings import Place
from inspector.store.status import StatusReader
from inspector.store.tables import ContentRow, VideoRow

_AT_ONCE: Final = 100  # pieces whose statuses are read together


@dataclass(frozen=True, slots=True)
class OnAir:
    """Something known was on air. segment: a = stream time here, b = there.

    key: of the other video; recording_id: if that is a recording too, whose stream time b is then, and `key`
    that of the first piece.  verdict: `contained` if (nearly) all of the other was on air, else `partial`.
    """

    video_id: int
    key: str
    recording_id: int | None
    verdict: Verdict
    segment: Segment


class StreamMatches:
    """Reads what recordings share."""

    def __init__(self, db: Database, statuses: StatusReader, bucket: str) -> None:
        self._db = db
        self._statuses = statuses
        self._bucket = bucket

    def of(self, recording_id: int, *, from_s: float = 0.0, to_s: float = float("inf")) -> list[OnAir]:
        """What was on air between these times, in the order of the stream. Raises DatabaseUnavailable."""
        with self._db.begin() as tx:
            pieces = [
                piece
                for piece in recordings.segments(tx, recording_id)
                if piece.end_s > from_s and piece.start_s < to_s
            ]
        found: dict[tuple[str, int], list[tuple[DuplicateStatus, Segment]]] = defaultdict(list)
        for start in range(0, len(pieces), _AT_ONCE):
            for identity, match, segment in self._seen_in(recording_id, pieces[start : start + _AT_ONCE]):
                found[identity].append((match, segment))
        with self._db.begin() as tx:
            ids = {match.video_id for several in found.values() for match, _ in several}
            lengths = _durations(tx, ids)
        on_air = [
            _told(identity, several, segment, lengths)
            for identity, several in found.items()
            for segment in join(segment for _, segment in several)
            if segment.a_end_s > from_s and segment.a_start_s < to_s
        ]
        return sorted(on_air, key=lambda each: (*each.segment.order, each.key))

    def _seen_in(
        self, recording_id: int, pieces: Sequence[RecordedSegment]
    ) -> Iterator[tuple[tuple[str, int], DuplicateStatus, Segment]]:
        """(which other, the match of the piece, a segment of it in stream time)."""
        offsets = {piece.key: piece.start_s for piece in pieces}
        statuses = self._of_pieces(pieces)
        keys = {match.key for status in statuses for match in (*status.duplicates, *status.common)}
        with self._db.begin() as tx:
            places = recordings.places(tx, self._bucket, keys)
        for status in statuses:
            for match in (*status.duplicates, *status.common):
                place = places.get(match.key)
                if place is not None and (place.whole or place.recording_id == recording_id):
                    continue
                identity = ("recording", place.recording_id) if place else ("video", match.video_id)
                for segment in match.segments:
                    yield identity, match, _shifted(segment, offsets[status.key], place)

    def _of_pieces(self, pieces: Sequence[RecordedSegment]) -> list[VideoStatus]:
        keys = [piece.key for piece in pieces]
        with self._db.begin() as tx:
            query = select(VideoRow.id).where(VideoRow.bucket == self._bucket, VideoRow.key.in_(keys))
            ids = list(tx.scalars(query))
        return self._statuses.by_ids(ids)


def _shifted(segment: Segment, offset_s: float, place: Place | None) -> Segment:
    """The segment of a piece in stream time, on both sides if the other is a piece as well."""
    there_s = place.start_s if place else 0.0
    return Segment(
        segment.a_start_s + offset_s,
        segment.a_end_s + offset_s,
        segment.b_start_s + there_s,
        segment.b_end_s + there_s,
        segment.score,
    )


def _told(
    identity: tuple[str, int],
    several: Sequence[tuple[DuplicateStatus, Segment]],
    segment: Segment,
    lengths: dict[int, float],
) -> OnAir:
    kind, number = identity
    match = several[0][0]
    length_s = lengths.get(match.video_id, float("inf")) if kind == "video" else float("inf")
    all_of_it = segment.b_end_s - segment.b_start_s >= ALL_OF_IT * length_s
    return OnAir(
        video_id=match.video_id,
        key=match.key,
        recording_id=number if kind == "recording" else None,
        verdict=Verdict.CONTAINED if all_of_it else Verdict.PARTIAL,
        segment=segment,
    )


def _durations(tx: Session, video_ids: set[int]) -> dict[int, float]:
    query = (
        select(VideoRow.id, ContentRow.duration_s)
        .join(ContentRow, ContentRow.id == VideoRow.content_id)
        .where(VideoRow.id.in_(video_ids))
    )
    return {row.id: row.duration_s for row in tx.execute(query)}
