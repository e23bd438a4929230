"""The recorder: keeps one ffmpeg at one source, whatever becomes of it, until told to stop.

Only the thread that calls `run` starts ffmpeg, takes what it delivers, and writes it to files. Two others
tell the database and the bucket, so neither can hold up the source. Nothing of one ffmpeg is left for the
next.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from inspector.aws.bucket import Bucket
from inspector.aws.remote import may_pass
from inspector.errors import (
    BucketUnavailable,
    DatabaseUnavailable,
    InspectorError,
    Interrupted,
    NoPicture,
    ScratchFull,
    ToolFailed,
    ToolKilled,
    ToolMissing,
    ToolStalled,
)
from inspector.media.live import (
    ANALYSE_S,
    LONGEST_ANALYSIS_S,
    capture,
    check_source,
    is_named_playlist,
    look_at,
    shown_source,
)
from inspector.media.transport import Group, GroupReader
from inspector.processes import this_process
from inspector.settings import Settings
from inspector.store import Database, recordings
from inspector.worker.ingest import Ingest
from inspector.worker.loop import Loop
from inspector.worker.recording.reel import Reel
from inspector.worker.recording.tape import Tape
from inspector.worker.recording.uploads import Ending, Spooled, Uploads
from inspector.worker.scratch import free_bytes

log = structlog.get_logger(__name__)

#: A recording ends there, and the next one begins: times of a transport stream wrap after 26.5 hours, and
#: longer or larger videos are not inspected.
LONGEST_S: Final = 23.98 * 3600
LARGEST_BYTES: Final = 100 * 10**9
FIRST_PAUSE_S: Final = 0.5  # before a source that gave nothing is asked again; it doubles
LONGEST_PAUSE_S: Final = 30.0
DISK_FULL: Final = "disk_full"
_BEAT_S: Final = 5.0
_CHECK_S: Final = 3600.0
_DRAIN_S: Final = 60.0
_AGAIN_S: Final = 10.0  # between attempts to begin the next recording while the database is away


@dataclass(frozen=True, slots=True)
class Plan:
    """What to record. give_up_s: end when the source was dead for so long; None: never.

    longest_s, largest_bytes: of one recording; then the next one begins.
    """

    url: str
    channel: str
    segment_s: float = 30.0
    duration_s: float | None = None
    give_up_s: float | None = None
    stall_s: float = 20.0
    longest_s: float = LONGEST_S
    largest_bytes: int = LARGEST_BYTES


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
        hurried: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """stopped, wait: whether to stop, and a pause of at most so long that ends when it is time to.

        hurried: whether not even to wait for the last uploads.
        """
        check_source(plan.url)
        self._db = db
        self._bucket = bucket
        self._settings = settings
        self._plan = plan
        self._stopped = stopped
        self._wait = wait
        self._hurried = hurried
        self._on_progress = on_progress
        self._clock = clock
        self._jitter = jitter
        self._uploads = Uploads(db, bucket, Ingest(db, bucket, settings))
        self._process = this_process()
        self._restarts = 0
        self._trouble: str | None = None
        self._made: list[int] = []
        self._refusal: BucketUnavailable | None = None
        self._roll_over_at = 0.0
        self._enough_s = ANALYSE_S

    def run(self) -> list[int]:
        """Record until told to stop, or the source or the plan ends. Returns the recordings that were made.

        Raises ToolMissing, NoPicture, BucketUnavailable (it does not exist), DatabaseUnavailable (at the
        beginning), and InspectorError if pieces could not be uploaded: they stay in the spool.
        """
        self._began = self._clock()
        self._spool = self._settings.scratch / f"recording-{self._process.pid}-{self._process.started}"
        self._reel = self._begin(Tape())
        ending = threading.Event()
        self._loops = [
            Loop("uploads", self._uploads.run_once, ending),
            Loop("recorder_heartbeat", self._beat, ending),
            Loop("bucket_check", self._check_bucket, ending),
        ]
        for loop in self._loops:
            loop.start()
        try:
            self._record_and_tell()
        finally:
            ending.set()
            for loop in self._loops:
                loop.join(0.0 if self._hurried() else _BEAT_S)
            with suppress(OSError):  # not empty, or gone
                self._spool.rmdir()
        return self._made

    def _check_bucket(self) -> float:
        """Whether there is such a bucket, and it is for us. Nothing waits for the answer."""
        try:
            self._bucket.check()
        except BucketUnavailable as exc:
            if may_pass(exc):
                raise
            self._refusal = exc
        return _CHECK_S

    def _record_and_tell(self) -> None:
        try:
            note = self._record()
        except InspectorError as exc:
            self._finish(f"it could not go on: {exc}")
            raise
        self._finish(note)

    # ------------------------------------------------------------ one recording after the other

    def _begin(self, tape: Tape) -> Reel:
        """Raises DatabaseUnavailable, or ScratchFull; then nothing has begun."""
        plan, source = self._plan, shown_source(self._plan.url)
        with self._db.begin() as tx:
            begun = recordings.begin(tx, self._bucket.name, plan.channel, source, self._process, self._spool)
            folder = spool_folder(self._spool, begun)
            try:
                folder.mkdir(parents=True)
            except OSError as exc:
                raise ScratchFull(
                    f"no folder can be made in {self._settings.scratch}: {exc.strerror}"
                ) from exc
        self._made.append(begun)
        return Reel(
            begun, plan.channel, folder, self._uploads, tape, piece_s=plan.segment_s, clock=self._clock
        )

    def _roll_over(self) -> None:
        """The present recording is full: go on with another, and end it once all of it is uploaded.

        Nothing waits for that. While the database is away the present one goes on.
        """
        if self._clock() < self._roll_over_at:
            return
        try:
            begun = self._begin(self._reel.tape.successor())
        except (DatabaseUnavailable, ScratchFull) as exc:
            self._roll_over_at = self._clock() + _AGAIN_S
            log.warning("recording_not_rolled_over", recording=self._reel.id, error=str(exc))
            return
        full, self._reel = self._reel, begun
        self._close(full, "it has reached its greatest length")
        self._restarts = 0

    def _close(self, reel: Reel, note: str | None) -> None:
        reel.close()
        ending = Ending(reel.tape.end_s, self._restarts, note)
        self._uploads.add(Spooled(reel.id, ending, reel.folder))

    # ------------------------------------------------------------ one ffmpeg after the other

    def _record(self) -> str | None:
        """Returns why it ended."""
        failures = 0
        alive_at = self._clock()
        playlist = False
        while not self._done():
            self._wait_for_room()
            before_s, reel = self._reel.tape.end_s, self._reel
            if self._reel.tape.empty:
                found = look_at(self._plan.url)
                playlist = found.playlist if found else playlist or is_named_playlist(self._plan.url)
            analyse_s = min(LONGEST_ANALYSIS_S, max(self._enough_s, ANALYSE_S * 2**failures))
            reason, final = self._run_once(playlist, analyse_s)
            gained = self._reel is not reel or self._reel.tape.end_s > before_s or self._reel.tape.holds
            if gained or reason == DISK_FULL:
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
        while not self._done() and self._clock() < until:
            self._tick()
            self._wait(min(0.5, max(0.0, until - self._clock())))

    def _wait_for_room(self) -> None:
        """Until there is room again, as pieces are uploaded, and what found none is written."""
        while not self._done():
            try:
                self._check_room(resuming=self._trouble is not None and self._trouble.startswith(DISK_FULL))
                self._reel.write()
            except ScratchFull as exc:
                self._trouble = f"{DISK_FULL}: {exc}"
            else:
                return
            self._tick()
            self._wait(0.5)

    def _run_once(self, playlist: bool, analyse_s: float) -> tuple[str, bool]:
        """One ffmpeg, from its start to its end. Returns why it ended, and whether nothing more can come."""
        reader = GroupReader(from_start=self._reel.tape.empty)
        reason, torn, final = "source_ended", False, False
        try:
            capture(
                self._plan.url,
                self._settings,
                playlist=playlist,
                analyse_s=analyse_s,
                sink=lambda data: self._take_groups(reader.feed(data)),
                stall_s=self._plan.stall_s,
                cancelled=self._tick_with_room,
            )
            self._trouble = f"{reason}: it ended the connection"
            found = look_at(self._plan.url)
            final = found is not None and found.ended
            log.info("source_ended", recording=self._reel.id, for_good=final)
        except ToolMissing:
            raise
        except Interrupted:
            reason, torn = "stopped", True
        except (ToolFailed, ScratchFull) as exc:
            if isinstance(exc, NoPicture):
                self._look_longer(analyse_s, exc)
            reason, torn = reason_of(exc), True
            self._trouble = f"{reason}: {exc}"
            log.warning("recording_interrupted", recording=self._reel.id, reason=reason, error=str(exc))
        rest = list(reader.finish(torn=torn))
        self._reel.cut_short(rest[-1] if rest else None, reason, playlist=playlist)
        if reason == DISK_FULL:
            self._reel.close_piece()  # what is written may leave
        return reason, final

    def _look_longer(self, analyse_s: float, exc: NoPicture) -> None:
        """A server may send sound at once, and the picture from its next key frame on. Raises NoPicture."""
        if analyse_s >= LONGEST_ANALYSIS_S and self._reel.tape.empty:
            raise exc
        self._enough_s = 2 * analyse_s

    def _take_groups(self, groups: Iterable[Group]) -> None:
        for group in groups:
            self._trouble = None
            self._reel.add(group)
            if self._full():
                self._roll_over()

    def _full(self) -> bool:
        reel, plan = self._reel, self._plan
        enough = reel.tape.end_s >= plan.longest_s or reel.size_bytes >= plan.largest_bytes
        return enough and reel.tape.settled

    # ------------------------------------------------------------ several times a second

    def _tick(self) -> bool:
        """Whether ffmpeg must end. Raises InspectorError if a thread of ours has died, or S3 refuses us."""
        for loop in self._loops:
            if not loop.alive:
                raise InspectorError(f"the recorder's part {loop.name!r} has died: see the log")
        if self._refusal is not None:
            raise self._refusal
        self._reel.tick()
        self._on_progress(self.progress())
        return self._done()

    def _tick_with_room(self) -> bool:
        """The same, and raises ScratchFull."""
        self._check_room()
        return self._tick()

    def progress(self) -> Progress:
        return Progress(
            recording_id=self._reel.id,
            stream_s=self._reel.tape.end_s,
            pieces=self._uploads.uploaded,
            waiting=self._uploads.waiting,
            gaps=self._reel.gaps,
            restarts=self._restarts,
            trouble=self._trouble,
        )

    def _done(self) -> bool:
        """A source that is dead does not hold up the end: then the wall clock decides."""
        wanted_s = self._plan.duration_s
        if self._stopped() or wanted_s is None:
            return self._stopped()
        over = self._trouble is not None and self._clock() - self._began >= wanted_s
        return over or self._reel.tape.end_s >= wanted_s

    def _check_room(self, *, resuming: bool = False) -> None:
        """resuming: a little more is asked for, as long as pieces wait whose upload makes room."""
        free, reserve = free_bytes(self._spool), self._settings.scratch_reserve_bytes
        if free < reserve * (2 if resuming and self._uploads.waiting else 1):
            raise ScratchFull(
                f"{free:.0f} bytes are free in {self._settings.scratch}, and {reserve} are to stay free "
                "(INSPECTOR_SCRATCH_RESERVE_BYTES)"
            )

    def _beat(self) -> float:
        reel = self._reel
        with self._db.begin() as tx:
            recordings.beat(
                tx, reel.id, duration_s=reel.tape.end_s, restarts=self._restarts, note=self._trouble
            )
        return _BEAT_S

    # ------------------------------------------------------------ the end

    def _finish(self, note: str | None) -> None:
        """End the recording, and wait until all is uploaded. Raises InspectorError if that takes too long."""
        deadline = self._clock() + _DRAIN_S
        self._reel.close()
        while not self._reel.written and self._uploads.waiting:
            self._linger(deadline)
            with suppress(ScratchFull):
                self._reel.write()
        self._reel.give_up()
        self._close(self._reel, note)
        while self._uploads.waiting:
            self._linger(deadline)

    def _linger(self, deadline: float) -> None:
        """A moment, for the uploads."""
        dead = not all(loop.alive for loop in self._loops)
        if dead or self._hurried() or self._clock() > deadline:
            raise InspectorError(
                f"not everything is uploaded; it stays in {self._spool}: "
                "`inspector recordings orphans --clean` uploads it"
            )
        self._on_progress(self.progress())
        time.sleep(0.05)


def pause_after(failures: int) -> float:
    """Seconds until a source that gave nothing is asked again, before jitter."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10)))


def reason_of(exc: InspectorError) -> str:
    """Why a run ended, in the word that gaps carry."""
    if isinstance(exc, ScratchFull):
        return DISK_FULL
    if isinstance(exc, ToolStalled):
        return "source_stalled"
    if isinstance(exc, ToolKilled):
        return "recorder_killed"
    return "source_failed"


def spool_folder(spool: Path, recording_id: int) -> Path:
    """Where the pieces of one recording wait."""
    return spool / str(recording_id)
