"""Recordings whose process is gone: found, told, and cleaned up; what they left in the spool is uploaded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from inspector.aws.bucket import Bucket
from inspector.errors import Unavailable
from inspector.model import RecordedSegment, Recording, RecordingGap, RecordingState
from inspector.processes import this_boot
from inspector.settings import Settings
from inspector.store import Database, recordings
from inspector.worker.ingest import Ingest
from inspector.worker.recording.pieces import read_piece
from inspector.worker.recording.recorder import spool_folder
from inspector.worker.recording.reel import recorded
from inspector.worker.recording.tape import SMOOTH_S
from inspector.worker.recording.uploads import bring, segment_file, segment_key

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
            marked = recordings.spools(tx, self._bucket.name, RecordingState.ORPHANED)
            left = [number for number, spool in marked.items() if spool_folder(spool, number).exists()]
            return recordings.orphans(tx, self._bucket.name, boot=this_boot(), left=left)

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
            folder = spool_folder(recordings.spool_of(tx, recording.id), recording.id)
            find_untold(tx, recording, folder)
            waiting = [s for s in recordings.segments(tx, recording.id) if s.uploaded_at is None]
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
        if recording.state is not RecordingState.ENDED:
            recordings.end(tx, recording.id, RecordingState.ORPHANED, "its process was gone")


def find_untold(tx: Session, recording: Recording, folder: Path) -> None:
    """Tell the database of the pieces that it does not know: one was open, or PostgreSQL was away.

    They tell themselves where they lie; so does what is missing between them, but not why.
    """
    known = recordings.segments(tx, recording.id)
    numbers = {segment.number for segment in known}
    ends = [segment.end_s for segment in known] + [gap.end_s for gap in recordings.gaps(tx, recording.id)]
    end_s = max(ends, default=0.0)
    gaps = recording.gaps
    for path in sorted(folder.glob("*.ts")):
        if not path.stem.isdigit() or int(path.stem) in numbers:
            continue
        piece = read_piece(path, int(path.stem))
        if piece is None:
            continue
        if piece.start_s - end_s > SMOOTH_S:
            recordings.add_gap(tx, recording.id, RecordingGap(gaps, end_s, piece.start_s, "unknown"))
            gaps += 1
        key = segment_key(recording.channel, recording.id, piece.start_s)
        recordings.add_segment(tx, recording.id, recorded(piece, key))
        end_s = max(end_s, piece.end_s)
