"""Pieces: the files of a recording, begun and ended at key frames, on their way to the bucket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from inspector.errors import ScratchFull
from inspector.media.transport import PACKET_BYTES, TICKS_PER_S, Group, GroupReader
from inspector.worker.recording.tape import LEAD_TICKS, Gap, Laid
from inspector.worker.recording.uploads import segment_file

#: A piece that is open for so many times its length by the wall clock is ended: its source stands still.
_PATIENCE: Final = 1.5
_READ_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole file. start_s, end_s: stream time.  fresh: other parameters than the piece before it."""

    path: Path
    number: int
    start_s: float
    end_s: float
    frames: int
    size_bytes: int
    fresh: bool


def read_piece(path: Path, number: int) -> Piece | None:
    """What a file that a killed recorder left holds, by its own times; None if there is no picture in it.

    Half a packet at its end is cut off.
    """
    reader, groups, size_bytes = GroupReader(from_start=True), [], 0
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            size_bytes += len(data)
            groups += [_extent(group) for group in reader.feed(data)]
    groups += [_extent(group) for group in reader.finish(torn=False)]
    if not groups:
        return None
    size_bytes -= size_bytes % PACKET_BYTES
    os.truncate(path, size_bytes)
    start_s, end_s = min(start for start, _, _ in groups), max(end for _, end, _ in groups)
    return Piece(path, number, start_s, end_s, sum(n for _, _, n in groups), size_bytes, fresh=False)


def _extent(group: Group) -> tuple[float, float, int]:
    """Of a group whose times are stream time: its beginning and end, and how many pictures."""
    start, end = (max(0.0, (ticks - LEAD_TICKS) / TICKS_PER_S) for ticks in (group.first, group.end))
    return start, end, len(group.pictures)


class Pieces:
    """Writes what is laid into files of about `length_s`. A piece holds no gap, and one kind of picture."""

    def __init__(self, folder: Path, *, length_s: float) -> None:
        self._folder = folder
        self._length_s = length_s
        self._number = 0
        self._file: FileIO | None = None
        self._begun: Laid | None = None
        self._begun_at = 0.0
        self._end_s = 0.0
        self._frames = 0
        self._size_bytes = 0

    def add(self, item: Laid | Gap, now: float) -> Iterator[Piece]:
        """The piece that this ends, if it does. Raises ScratchFull; what was written before is kept."""
        if isinstance(item, Gap):
            yield from self.end()
            return
        if self._begun and (item.fresh or item.start_s - self._begun.start_s >= self._length_s - 0.001):
            yield from self.end()
        try:
            self._write(item, now)
        except OSError as exc:
            self._undo_write()
            yield from self.end()
            raise ScratchFull(f"no room for the recording in {self._folder}: {exc.strerror}") from exc
        self._end_s = item.end_s
        self._frames += item.frames
        self._size_bytes += len(item.data)

    def tick(self, now: float) -> Iterator[Piece]:
        """The piece that has waited for its end for too long."""
        if self._begun and now - self._begun_at > _PATIENCE * self._length_s:
            yield from self.end()

    def end(self) -> Iterator[Piece]:
        """The piece that is open; it is whole now."""
        if self._file is None or self._begun is None:
            return
        self._file.close()
        path = Path(str(self._file.name))
        if self._frames:
            yield Piece(
                path,
                self._number,
                self._begun.start_s,
                self._end_s,
                self._frames,
                self._size_bytes,
                self._begun.fresh,
            )
            self._number += 1
        self._file, self._begun, self._frames, self._size_bytes = None, None, 0, 0

    def _write(self, item: Laid, now: float) -> None:
        if self._file is None:
            self._begun, self._begun_at = item, now
            self._file = FileIO(segment_file(self._folder, self._number), "w")
        view = memoryview(item.data)
        while view:
            view = view[self._file.write(view) or 0 :]

    def _undo_write(self) -> None:
        """Take back what was written of a group in part."""
        if self._file is not None:
            self._file.truncate(self._size_bytes)
