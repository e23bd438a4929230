"""Recordings whose process is gone: found, told, and cleaned up; what they left in the spool is uploaded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from inspector.aws.bucket import Bucket
from inspector.errors import Unavailable
from inspector.model import RecordedSegment, Recording, RecordingState
from inspector.processes import this_boot
from inspector.settings import Settings
from inspector.store import Database, recordings
from inspector.worker.ingest import Ingest
from inspector.worker.recording.recorder import spool_folder
from inspector.worker.recording.uploads import bring, segment_file

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was done about one. rescued, lost: pieces that waited for their upload."""

    recording: Recording
    rescued: int
    lost: int


class Orphans:
    """Looks for recordings without a process, and cleans up behind them."""

    def __init__(self, db: Database, bucket: Bucket, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self._ingest = Ingest(db, bucket, settings)

    def find(self) -> list[Recording]:
        """Those marked as running whose process has died, and those that left pieces on this machine."""
        with self._db.begin() as tx:
            return recordings.orphans(tx, self._bucket.name, boot=this_boot())

    def clean(self, found: Sequence[Recording]) -> list[Cleaned]:
        """Upload what they left here, and mark them. One that cannot be cleaned stays an orphan.

        A piece is only given up where its spool would be, and is not: on another machine it may still lie.
        """
        done = []
        for recording in found:
            try:
                done.append(self._clean(recording))
            except Unavailable as exc:
                log.warning("orphan_not_cleaned", recording=recording.id, error=str(exc))
        return done

    def _clean(self, recording: Recording) -> Cleaned:
        with self._db.begin() as tx:
            waiting = [s for s in recordings.segments(tx, recording.id) if s.uploaded_at is None]
            folder = spool_folder(recordings.spool_of(tx, recording.id), recording.id)
        here = recording.process.boot == this_boot() or folder.exists()
        rescued = lost = 0
        for segment in waiting if here else ():
            path = segment_file(folder, segment.number)
            if path.exists():
                bring(self._db, self._bucket, self._ingest, recording.id, segment, path)
                rescued += 1
            else:
                self._give_up(recording, segment)
                lost += 1
        with self._db.begin() as tx:
            self._mark(tx, recording)
        if here:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # not there, or the spool of further recordings
                folder.parent.rmdir()
        log.info("orphan_cleaned", recording=recording.id, rescued=rescued, lost=lost)
        return Cleaned(recording, rescued, lost)

    def _give_up(self, recording: Recording, segment: RecordedSegment) -> None:
        with self._db.begin() as tx:
            recordings.lose_segment(tx, recording.id, segment)

    def _mark(self, tx: Session, recording: Recording) -> None:
        if recording.state is RecordingState.RUNNING:
            recordings.end(tx, recording.id, RecordingState.ORPHANED, "its process was gone")
