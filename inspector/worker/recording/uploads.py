"""From the spool to the bucket: pieces and gaps in their order, each told to the database first.

What a killed recorder leaves in its spool is known by its row, so that whoever cleans up can upload it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from inspector.aws.bucket import Bucket
from inspector.model import RecordedSegment, RecordingGap
from inspector.store import Database, recordings
from inspector.store.recordings import KEY_PREFIX
from inspector.worker.ingest import Ingest

log = structlog.get_logger(__name__)

_IDLE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Spooled:
    """Something that is to be told of a recording. path: of a segment's file."""

    recording_id: int
    item: RecordedSegment | RecordingGap
    path: Path | None = None


class Uploads:
    """A queue of what was recorded. One thread adds, another repeats `run_once`."""

    def __init__(self, db: Database, bucket: Bucket, ingest: Ingest) -> None:
        self._db = db
        self._bucket = bucket
        self._ingest = ingest
        self._queue: deque[Spooled] = deque()
        self._added = threading.Event()
        self.uploaded = 0

    def add(self, spooled: Spooled) -> None:
        self._queue.append(spooled)
        self._added.set()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def run_once(self) -> float:
        """Bring the next one to its place. Returns the seconds to wait.

        Raises DatabaseUnavailable or BucketUnavailable; then it is tried again. May be repeated harmlessly.
        """
        if not self._queue:
            self._added.wait(_IDLE_S)
            self._added.clear()
            return 0.0
        spooled = self._queue[0]
        if isinstance(spooled.item, RecordingGap):
            with self._db.begin() as tx:
                recordings.add_gap(tx, spooled.recording_id, spooled.item)
        elif spooled.path is not None:
            self._bring(spooled.recording_id, spooled.item, spooled.path)
        self._queue.popleft()
        return 0.0

    def _bring(self, recording_id: int, segment: RecordedSegment, path: Path) -> None:
        with self._db.begin() as tx:
            recordings.add_segment(tx, recording_id, segment)
        bring(self._db, self._bucket, self._ingest, recording_id, segment, path)
        self.uploaded += 1


def bring(
    db: Database, bucket: Bucket, ingest: Ingest, recording_id: int, segment: RecordedSegment, path: Path
) -> None:
    """Upload a piece that the database knows, and have it inspected at once. The file is gone then."""
    bucket.upload(path, segment.key)
    with db.begin() as tx:
        recordings.note_uploaded(tx, recording_id, segment.number)
    ingest.look_at(segment.key)
    path.unlink(missing_ok=True)
    log.info("segment_uploaded", key=segment.key, start_s=round(segment.start_s, 3), frames=segment.frames)


def segment_file(folder: Path, number: int) -> Path:
    """Where a piece lies until it is uploaded."""
    return folder / f"{number:06}.ts"


def segment_key(channel: str, recording_id: int, start_s: float) -> str:
    """Keys of a recording sort as the stream runs; milliseconds tell pieces apart."""
    return f"{KEY_PREFIX}{channel}/{recording_id}/{round(start_s * 1000):09}.ts"


def joined_key(channel: str, recording_id: int) -> str:
    return f"{KEY_PREFIX}{channel}/{recording_id}.ts"
