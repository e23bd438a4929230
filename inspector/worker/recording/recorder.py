"""The recorder: keeps one ffmpeg at one source, whatever becomes of it, until told to stop.

Only the thread that calls `run` starts ffmpeg, takes what it delivers, and writes it to files. Two others
tell the database and the bucket, so neither can hold up the source. Nothing of one ffmpeg is left for the
next.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from inspector.aws.bucket import Bucket
from inspector.errors import (
    InspectorError,
    Interrupted,
    ScratchFull,
    ToolFailed,
    ToolKilled,
    ToolMissing,
    ToolStalled,
    ToolTimeout,
)
from inspector.media.live import (
    ANALYSE_S,
    LONGEST_ANALYSIS_S,
    capture,
    check_source,
    is_playlist,
    shown_source,
)
from inspector.media.transport import Group, GroupReader
from inspector.model import RecordedSegment, RecordingGap, RecordingState
from inspector.processes import this_process
from inspector.settings import Settings
from inspector.store import Database, recordings
from inspector.worker.ingest import Ingest
from inspector.worker.loop import Loop
from inspector.worker.recording.pieces import Piece, Pieces
from inspector.worker.recording.tape import Gap, Laid, Tape
from inspector.worker.recording.uploads import Spooled, Uploads, segment_key

log = structlog.get_logger(__name__)

#: A recording ends there, and the next one begins: times of a transport stream wrap after 26.5 hours, and
#: longer or larger videos are not inspected.
LONGEST_S: Final = 23.98 * 3600
LARGEST_BYTES: Final = 100 * 10**9
FIRST_PAUSE_S: Final = 0.5  # before a source that gave nothing is asked again; it doubles
LONGEST_PAUSE_S: Final = 30.0
#: What a run leaves behind unfinished waits so long for the next one to deliver it again.
_HOLD_S: Final = 60.0
_BEAT_S: Final = 5.0
_DRAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to record. give_up_s: end when the source was dead for so long; None: never."""

    url: str
    channel: str
    segment_s: float = 30.0
    duration_s: float | None = None
    give_up_s: float | None = None
    stall_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How it stands. trouble: what is wrong now."""

    recording_id: int
    stream_s: float
    pieces: int
    waiting: int
    gaps: int
    restarts: int
    trouble: str | None


class Recorder:
    """Records one source as one channel. `run` once."""

    def __init__(
        self,
        db: Database,
        bucket: Bucket,
        settings: Settings,
        plan: Plan,
        *,
        stopped: Callable[[], bool],
        wait: Callable[[float], bool],
        on_progress: Callable[[Progress], None] = lambda progress: None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """stopped, wait: whether to stop, and a pause of at most so long that ends when it is time to."""
        check_source(plan.url)
        self._db = db
        self._bucket = bucket
        self._settings = settings
        self._plan = plan
        self._stopped = stopped
        self._wait = wait
        self._on_progress = on_progress
        self._clock = clock
        self._jitter = jitter
        self._uploads = Uploads(db, bucket, Ingest(db, bucket, settings))
        self._process = this_process()
        self._restarts = 0
        self._trouble: str | None = None
        self._ended: list[int] = []

    def run(self) -> list[int]:
        """Record until told to stop, or the source or the plan ends. Returns the recordings that were made.

        Raises ConfigError, ToolMissing, DatabaseUnavailable (at the beginning), or InspectorError if pieces
        could not be uploaded: they stay in the spool.
        """
        spool = self._settings.scratch / f"recording-{self._process.pid}-{self._process.started}"
        spool.mkdir(parents=True, exist_ok=True)
        self._spool = spool
        self._begin()
        ending = threading.Event()
        loops = [
            Loop("uploads", self._uploads.run_once, ending),
            Loop("recorder_heartbeat", self._beat, ending),
        ]
        self._loops = loops
        for loop in loops:
            loop.start()
        try:
            note = self._record()
            self._drain()
        finally:
            ending.set()
            for loop in loops:
                loop.join(_BEAT_S)
        self._close(note)
        return self._ended

    # ------------------------------------------------------------ one recording after the other

    def _begin(self) -> None:
        plan, source = self._plan, shown_source(self._plan.url)
        with self._db.begin() as tx:
            self._id = recordings.begin(
                tx, self._bucket.name, plan.channel, source, self._process, self._spool
            )
        self._folder = spool_folder(self._spool, self._id)
        self._folder.mkdir()
        self._tape = Tape()
        self._pieces = Pieces(self._folder, length_s=plan.segment_s)
        self._gaps = 0
        self._size_bytes = 0

    def _roll_over(self) -> None:
        """The present recording is full: end it, and go on with another."""
        self._take(self._tape.release())
        self._spool_pieces(self._pieces.end())
        self._drain()
        self._close("it has reached its greatest length")
        self._begin()

    def _close(self, note: str | None) -> None:
        with self._db.begin() as tx:
            recordings.beat(tx, self._id, duration_s=self._tape.end_s, restarts=self._restarts, note=note)
            recordings.end(tx, self._id, RecordingState.ENDED, note)
        shutil.rmtree(self._folder, ignore_errors=True)
        if not any(self._spool.iterdir()):
            self._spool.rmdir()
        self._ended.append(self._id)

    # ------------------------------------------------------------ one ffmpeg after the other

    def _record(self) -> str | None:
        """Returns why it ended."""
        failures = 0
        alive_at = self._clock()
        playlist = is_playlist(self._plan.url)
        while not self._done():
            before_s = self._tape.end_s
            analyse_s = min(LONGEST_ANALYSIS_S, ANALYSE_S * 2**failures)
            reason, final = self._run_once(playlist, analyse_s)
            if self._tape.end_s > before_s or self._tape.holds:
                failures, alive_at = 0, self._clock()
            else:
                failures += 1
            if final:
                return reason
            if self._plan.give_up_s is not None and self._clock() - alive_at > self._plan.give_up_s:
                return f"the source was dead for {self._plan.give_up_s:g} s: {reason}"
            if not self._done():
                self._pause(failures)
                self._restarts += 1
        return None if self._stopped() else "the time asked for is over"

    def _pause(self, failures: int) -> None:
        """Not at all after a run that gave something; else for longer and longer."""
        if failures == 0:
            return
        until = self._clock() + pause_after(failures) * (1 - self._jitter() / 2)
        while self._clock() < until and not self._wait(min(0.5, max(0.0, until - self._clock()))):
            self._tick()

    def _run_once(self, playlist: bool, analyse_s: float) -> tuple[str, bool]:
        """One ffmpeg, from its start to its end. Returns why it ended, and whether nothing more can come."""
        reader = GroupReader(from_start=self._tape.end_s == 0.0)
        reason, torn, final = "source_ended", False, False
        try:
            self._check_room()
            capture(
                self._plan.url,
                self._settings,
                playlist=playlist,
                analyse_s=analyse_s,
                sink=lambda data: self._take_groups(reader.feed(data)),
                longest_s=LONGEST_S,
                stall_s=self._plan.stall_s,
                cancelled=self._tick,
            )
            final = check_source(self._plan.url) in ("http", "https")
        except ToolMissing:
            raise
        except Interrupted:
            reason, torn = "stopped", True
        except (ToolFailed, ScratchFull) as exc:
            reason, torn = reason_of(exc), True
            self._trouble = f"{reason}: {exc}"
            log.warning("recording_interrupted", recording=self._id, reason=reason, error=str(exc))
        self._finish_run(list(reader.finish(torn=torn)), reason)
        return reason, final

    def _finish_run(self, rest: list[Group], reason: str) -> None:
        try:
            self._take(self._tape.cut_short(rest[-1] if rest else None, reason, self._clock()))
        except ScratchFull as exc:
            self._trouble = f"disk_full: {exc}"
        self._held_since = self._clock()

    def _take_groups(self, groups: Iterable[Group]) -> None:
        for group in groups:
            self._trouble = None
            self._take(self._tape.add(group, self._clock()))
            if self._tape.end_s >= LONGEST_S or self._size_bytes >= LARGEST_BYTES:
                self._roll_over()

    def _take(self, items: Iterable[Laid | Gap]) -> None:
        for item in items:
            if isinstance(item, Gap):
                self._spool_pieces(self._pieces.add(item, self._clock()))
                gap = RecordingGap(self._gaps, item.start_s, item.end_s, item.reason)
                self._uploads.add(Spooled(self._id, gap))
                self._gaps += 1
                log.warning(
                    "recording_gap",
                    recording=self._id,
                    start_s=item.start_s,
                    end_s=item.end_s,
                    why=item.reason,
                )
            else:
                self._size_bytes += len(item.data)
                self._spool_pieces(self._pieces.add(item, self._clock()))

    def _spool_pieces(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            key = segment_key(self._plan.channel, self._id, piece.start_s)
            segment = RecordedSegment(
                piece.number, key, piece.start_s, piece.end_s, piece.frames, piece.size_bytes
            )
            if piece.fresh:
                log.info("recording_parameters_changed", recording=self._id, at_s=piece.start_s)
            self._uploads.add(Spooled(self._id, segment, piece.path))

    # ------------------------------------------------------------ several times a second

    def _tick(self) -> bool:
        """Whether ffmpeg must end. Raises ScratchFull, or InspectorError if a thread of ours has died."""
        for loop in self._loops:
            if not loop.alive:
                raise InspectorError(f"the recorder's part {loop.name!r} has died: see the log")
        now = self._clock()
        if self._tape.holds and now - self._held_since > _HOLD_S:
            self._take(self._tape.release())
        self._spool_pieces(self._pieces.tick(now))
        self._on_progress(self.progress())
        self._check_room()
        return self._done()

    def progress(self) -> Progress:
        return Progress(
            recording_id=self._id,
            stream_s=self._tape.end_s,
            pieces=self._uploads.uploaded,
            waiting=self._uploads.waiting,
            gaps=self._gaps,
            restarts=self._restarts,
            trouble=self._trouble,
        )

    def _done(self) -> bool:
        wanted_s = self._plan.duration_s
        return self._stopped() or (wanted_s is not None and self._tape.end_s >= wanted_s)

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < self._settings.scratch_reserve_bytes:
            raise ScratchFull(
                f"{free} bytes are free in {self._settings.scratch}, and "
                f"{self._settings.scratch_reserve_bytes} are to stay free (INSPECTOR_SCRATCH_RESERVE_BYTES)"
            )

    def _beat(self) -> float:
        with self._db.begin() as tx:
            recordings.beat(
                tx, self._id, duration_s=self._tape.end_s, restarts=self._restarts, note=self._trouble
            )
        return _BEAT_S

    # ------------------------------------------------------------ the end

    def _drain(self) -> None:
        """Wait until everything is uploaded. Raises InspectorError if that takes too long."""
        self._take(self._tape.release())
        self._spool_pieces(self._pieces.end())
        deadline = self._clock() + _DRAIN_S
        while self._uploads.waiting:
            if self._clock() > deadline or not all(loop.alive for loop in self._loops):
                raise InspectorError(
                    f"{self._uploads.waiting} pieces are not uploaded yet, and stay in {self._folder}: "
                    "`inspector recordings orphans --clean` uploads them"
                )
            self._on_progress(self.progress())
            time.sleep(0.05)


def pause_after(failures: int) -> float:
    """Seconds until a source that gave nothing is asked again, before jitter."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10)))


def reason_of(exc: InspectorError) -> str:
    """Why a run ended, in the word that gaps carry."""
    if isinstance(exc, ScratchFull):
        return "disk_full"
    if isinstance(exc, ToolStalled):
        return "source_stalled"
    if isinstance(exc, ToolKilled):
        return "recorder_killed"
    if isinstance(exc, ToolTimeout):
        return "longest_run"
    return "source_failed"


def spool_folder(spool: Path, recording_id: int) -> Path:
    """Where the pieces of one recording wait."""
    return spool / str(recording_id)
