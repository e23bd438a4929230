"""One recording while it is made: what arrives is laid on its tape, written into pieces, and told of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from typing import Final

import structlog

from inspector.errors import ScratchFull
from inspector.media.transport import Group
from inspector.model import RecordedSegment, RecordingGap
from inspector.worker.recording.pieces import Piece, Pieces
from inspector.worker.recording.tape import Gap, Laid, Tape
from inspector.worker.recording.uploads import Spooled, Uploads, segment_key

log = structlog.get_logger(__name__)

#: What a run leaves behind unfinished waits so long for the next one to deliver it again.
_HOLD_S: Final = 60.0
#: A server that pushes may greet with what it has just shown, to be quick on the screen. Most keep less.
_GREETING_S: Final = 15.0


class Reel:
    """The files of one recording, in its folder of the spool. What is whole is handed to the uploads.

    What finds no room on the disk is kept in memory (a group of pictures or two) until it does.
    """

    def __init__(
        self,
        recording_id: int,
        channel: str,
        folder: Path,
        uploads: Uploads,
        tape: Tape,
        *,
        piece_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.id = recording_id
        self.folder = folder
        self.tape = tape
        self.gaps = 0
        self.size_bytes = 0
        self._channel = channel
        self._uploads = uploads
        self._pieces = Pieces(folder, length_s=piece_s)
        self._clock = clock
        self._unwritten: deque[Laid | Gap] = deque()
        self._held_since = 0.0

    @property
    def written(self) -> bool:
        """Whether all that was laid found room."""
        return not self._unwritten

    def add(self, group: Group) -> None:
        """A group has arrived. Raises ScratchFull; it is not lost then: call `write`."""
        self._unwritten += self.tape.add(group, self._clock())
        self.write()

    def cut_short(self, group: Group | None, reason: str, *, playlist: bool) -> None:
        """A run has ended with this group, because of this. playlist: the next may begin with what is old."""
        self._held_since = self._clock()
        again_s = inf if playlist else _GREETING_S
        self._take(self.tape.cut_short(group, reason, self._held_since, again_s=again_s))

    def tick(self) -> None:
        """Several times a second: what has waited for too long waits no more."""
        now = self._clock()
        if self.tape.holds and now - self._held_since > _HOLD_S:
            self._take(self.tape.release())
        self._spool(self._pieces.tick(now))

    def close_piece(self) -> None:
        """End the piece that is open, so that it can leave."""
        self._spool(self._pieces.end())

    def close(self) -> None:
        """Nothing more comes."""
        self._take(self.tape.release())
        self.close_piece()

    def write(self) -> None:
        """Write what has found no room so far. Raises ScratchFull."""
        while self._unwritten:
            item = self._unwritten[0]
            self._spool(self._pieces.add(item, self._clock()))
            self._unwritten.popleft()
            if isinstance(item, Gap):
                self._tell(item)
            else:
                self.size_bytes += len(item.data)

    def give_up(self) -> None:
        """What has found no room is missing."""
        lost = [item for item in self._unwritten if isinstance(item, Laid)]
        self._unwritten.clear()
        if lost:
            self._tell(Gap(lost[0].start_s, lost[-1].end_s, "disk_full"))

    def _take(self, items: Iterable[Laid | Gap]) -> None:
        self._unwritten += items
        try:
            self.write()
        except ScratchFull as exc:
            log.warning("recording_waits_for_room", recording=self.id, error=str(exc))

    def _tell(self, item: Gap) -> None:
        gap = RecordingGap(self.gaps, item.start_s, item.end_s, item.reason)
        self._uploads.add(Spooled(self.id, gap))
        self.gaps += 1
        log.warning(
            "recording_gap", recording=self.id, start_s=item.start_s, end_s=item.end_s, why=item.reason
        )

    def _spool(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if piece.fresh:
                log.info("recording_parameters_changed", recording=self.id, at_s=piece.start_s)
            segment = recorded(piece, segment_key(self._channel, self.id, piece.start_s))
            self._uploads.add(Spooled(self.id, segment, piece.path))


def recorded(piece: Piece, key: str) -> RecordedSegment:
    """A piece as the database knows it."""
    return RecordedSegment(piece.number, key, piece.start_s, piece.end_s, piece.frames, piece.size_bytes)
