"""From the spool to the bucket: pieces and gaps in their order, each told to the database first.

What is added is told at once, and uploaded as the bucket allows. So what a killed recorder leaves in its
spool is known, however long the bucket was away.
"""

from __future__ import annotations

import shutil
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session

from inspector.aws.bucket import Bucket
from inspector.model import RecordedSegment, RecordingGap, RecordingState
from inspector.store import Database, recordings
from inspector.store.recordings import KEY_PREFIX
from inspector.worker.ingest import Ingest

log = structlog.get_logger(__name__)

_IDLE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ending:
    """A recording ends, once all that came before is uploaded. note: why."""

    duration_s: float
    restarts: int
    note: str | None


@dataclass(frozen=True, slots=True)
class Spooled:
    """Something that is to be told of a recording. path: a segment's file, or the recording's folder."""

    recording_id: int
    item: RecordedSegment | RecordingGap | Ending
    path: Path | None = None


class Uploads:
    """A queue of what was recorded. One thread adds, another repeats `run_once`."""

    def __init__(self, db: Database, bucket: Bucket, ingest: Ingest) -> None:
        self._db = db
        self._bucket = bucket
        self._ingest = ingest
        self._untold: deque[Spooled] = deque()
        self._told: deque[Spooled] = deque()
        self._added = threading.Event()
        self.uploaded = 0

    def add(self, spooled: Spooled) -> None:
        self._untold.append(spooled)
        self._added.set()

    @property
    def waiting(self) -> int:
        """How many have not come to their place."""
        return len(self._untold) + len(self._told)

    def run_once(self) -> float:
        """Tell what is new, and bring the next piece to its place. Returns the seconds to wait.

        Raises DatabaseUnavailable or BucketUnavailable; then it is tried again. May be repeated harmlessly.
        """
        self._tell()
        if self._told:
            self._finish(self._told[0])
            self._told.popleft()
        elif not self._untold:
            self._added.wait(_IDLE_S)
            self._added.clear()
        return 0.0

    def _tell(self) -> None:
        new = list(self._untold)
        if not new:
            return
        with self._db.begin() as tx:
            for spooled in new:
                tell(tx, spooled.recording_id, spooled.item)
        for spooled in new:  # never in neither of the two: `waiting` is asked by another thread
            if not isinstance(spooled.item, RecordingGap):
                self._told.append(spooled)
            self._untold.popleft()

    def _finish(self, spooled: Spooled) -> None:
        recording_id, item = spooled.recording_id, spooled.item
        if isinstance(item, Ending):
            with self._db.begin() as tx:
                recordings.beat(
                    tx, recording_id, duration_s=item.duration_s, restarts=item.restarts, note=item.note
                )
                recordings.end(tx, recording_id, RecordingState.ENDED, item.note)
            if spooled.path is not None:
                shutil.rmtree(spooled.path, ignore_errors=True)
        elif isinstance(item, RecordedSegment) and spooled.path is not None:
            self._bring(recording_id, item, spooled.path)

    def _bring(self, recording_id: int, segment: RecordedSegment, path: Path) -> None:
        try:
            bring(self._db, self._bucket, self._ingest, recording_id, segment, path)
        except FileNotFoundError:
            log.warning("segment_lost", recording=recording_id, key=segment.key)
            with self._db.begin() as tx:
                recordings.lose_segment(tx, recording_id, segment)
        else:
            self.uploaded += 1


def tell(tx: Session, recording_id: int, item: RecordedSegment | RecordingGap | Ending) -> None:
    """Let the database know of a piece or a gap. May be told twice."""
    if isinstance(item, RecordedSegment):
        recordings.add_segment(tx, recording_id, item)
    elif isinstance(item, RecordingGap):
        recordings.add_gap(tx, recording_id, item)


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
