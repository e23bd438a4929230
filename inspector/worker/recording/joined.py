"""All of a recording as one object: its pieces one behind the other, since their times are one stream's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from inspector.aws.bucket import Bucket
from inspector.errors import InspectorError, Interrupted, ObjectGone, UnknownSubject
from inspector.model import RecordedSegment, RecordingState
from inspector.settings import Settings
from inspector.store import Database, recordings
from inspector.store.locks import only_one
from inspector.worker.ingest import Ingest
from inspector.worker.recording.uploads import joined_key

log = structlog.get_logger(__name__)


def join_pieces(
    db: Database,
    bucket: Bucket,
    settings: Settings,
    recording_id: int,
    *,
    on_bytes: Callable[[int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> str:
    """Put all pieces of a recording that has ended into one object, once. Returns its key.

    It passes through memory, part by part, and through no disk of ours. Interrupted, it may be repeated.
    Raises UnknownSubject, InspectorError (it still runs, or pieces are missing, or another process joins it),
    Interrupted, Unavailable.
    """
    with only_one(db, f"join recording {recording_id}") as mine:
        if not mine:
            raise InspectorError(f"another process joins recording {recording_id} at this moment")
        return _join(db, bucket, settings, recording_id, on_bytes, stopped)


def _join(
    db: Database,
    bucket: Bucket,
    settings: Settings,
    recording_id: int,
    on_bytes: Callable[[int], None] | None,
    stopped: Callable[[], bool],
) -> str:
    with db.begin() as tx:
        recording = recordings.find(tx, bucket.name, recording_id)
        pieces = recordings.segments(tx, recording_id)
    if recording is None:
        raise UnknownSubject(f"there is no recording {recording_id}")
    if recording.state is RecordingState.RUNNING:
        raise InspectorError(f"recording {recording_id} still runs")
    if not pieces:
        raise InspectorError(f"recording {recording_id} has no pieces")
    if any(piece.uploaded_at is None for piece in pieces):
        raise InspectorError("pieces wait for their upload: run `inspector recordings orphans --clean` first")
    key = joined_key(recording.channel, recording_id)
    there = bucket.describe(key)
    if there is None or there[0] != recording.size_bytes:
        with db.begin() as tx:  # first: what it shares with its own pieces is no news
            recordings.note_joined(tx, recording_id, key)
        mark = {"inspector-recording": str(recording_id)}
        bucket.send(PiecesInOrder(bucket, pieces, stopped), key, metadata=mark, on_bytes=on_bytes)
        log.info("recording_joined", recording=recording_id, key=key, pieces=len(pieces))
    Ingest(db, bucket, settings).look_at(key)
    return key


class PiecesInOrder:
    """Reads the objects of pieces as if they were one file, each once and in order."""

    def __init__(
        self,
        bucket: Bucket,
        pieces: Sequence[RecordedSegment],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """stopped: whether nobody wants it any more; what is read then raises Interrupted."""
        self.fault: InspectorError | None = None
        self._bucket = bucket
        self._pieces = pieces
        self._stopped = stopped
        self._next = 0
        self._rest = b""
        self._at = 0

    def seekable(self) -> bool:
        """No: an upload takes it as it comes, in parts of its own."""
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """An upload that fails begins anew, at 0."""
        self._next, self._rest, self._at = 0, b"", 0
        return 0

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer at the end only."""
        parts, missing = [], size if size >= 0 else 2**62
        while missing and (self._rest or self._next < len(self._pieces)):
            self._rest = self._rest or self._fetch()
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        data = b"".join(parts)
        self._at += len(data)
        return data

    def _fetch(self) -> bytes:
        if self._stopped():
            self.fault = Interrupted("stopped: nothing was joined; `inspector recordings join` does it")
            raise self.fault
        piece = self._pieces[self._next]
        self._next += 1
        data = self._bucket.read(piece.key, 0, piece.size_bytes)
        if data is None or len(data) != piece.size_bytes:
            self.fault = ObjectGone(f"{piece.key} is not in the bucket as it was uploaded")
            raise self.fault
        return data
