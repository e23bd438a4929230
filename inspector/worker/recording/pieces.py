"""Pieces: the files of a recording, begun and ended at key frames, on their way to the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from inspector.errors import ScratchFull
from inspector.worker.recording.tape import Gap, Laid
from inspector.worker.recording.uploads import segment_file

#: A piece that is open for so many times its length by the wall clock is ended: its source stands still.
_PATIENCE: Final = 1.5


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
