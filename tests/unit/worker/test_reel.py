"""A recording while it is made: what finds no room waits for it, and files tell what they hold."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from inspector.errors import ScratchFull
from inspector.model import RecordedSegment, RecordingGap
from inspector.worker.recording import pieces
from inspector.worker.recording.pieces import read_piece
from inspector.worker.recording.reel import Reel
from inspector.worker.recording.tape import Tape
from inspector.worker.recording.uploads import Spooled
from tests.unit.worker.test_tape import group


@dataclass
class Told:
    """Where uploads would be."""

    items: list[Spooled] = field(default_factory=list)

    def add(self, spooled: Spooled) -> None:
        self.items.append(spooled)

    @property
    def segments(self) -> list[RecordedSegment]:
        return [each.item for each in self.items if isinstance(each.item, RecordedSegment)]

    @property
    def gaps(self) -> list[RecordingGap]:
        return [each.item for each in self.items if isinstance(each.item, RecordingGap)]


@dataclass
class Disk:
    """Nothing can be written to it while it is full, but a part."""

    full: bool = False


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()

    class Full(FileIO):
        def write(self, data: Any) -> int:
            if disk.full:
                super().write(memoryview(data)[:100])
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(pieces, "FileIO", Full)
    return disk


def reel_in(folder: Path, told: Any) -> Reel:
    return Reel(7, "news", folder, told, Tape(), piece_s=4.0, clock=lambda: 0.0)


def test_a_full_disk_loses_nothing_that_was_delivered_and_leaves_no_torn_file(
    tmp_path: Path, disk: Disk
) -> None:
    told = Told()
    reel = reel_in(tmp_path, told)
    reel.add(group(0))
    disk.full = True
    with pytest.raises(ScratchFull, match="No space left"):
        reel.add(group(2))
    assert [(s.start_s, s.end_s) for s in told.segments] == [(0.0, 2.0)]
    reel.cut_short(group(4), "disk_full", playlist=False)
    reel.tick()
    assert not reel.written
    disk.full = False
    reel.write()
    reel.add(group(6))
    reel.close()
    assert [(s.start_s, s.end_s, s.frames) for s in told.segments[1:]] == [(2.0, 6.0, 100), (6.0, 8.0, 50)]
    assert told.gaps == []
    for segment, spooled in zip(told.segments, told.items, strict=True):
        assert spooled.path is not None
        assert spooled.path.stat().st_size == segment.size_bytes


def test_what_finds_no_room_at_the_end_is_a_gap(tmp_path: Path, disk: Disk) -> None:
    told = Told()
    reel = reel_in(tmp_path, told)
    disk.full = True
    with pytest.raises(ScratchFull):
        reel.add(group(0))
    reel.close()
    reel.give_up()
    assert told.gaps == [RecordingGap(0, 0.0, 2.0, "disk_full")]
    assert reel.written


def test_a_file_tells_itself_where_it_lies(tmp_path: Path) -> None:
    told = Told()
    reel = reel_in(tmp_path, told)
    for n in range(5):
        reel.add(group(1000 + 2 * n))
    last = tmp_path / "000002.ts"
    with last.open("ab") as file:
        file.write(b"\x47" * 100)  # its recorder was killed at work
    piece = read_piece(last, 2)
    assert piece is not None
    assert (piece.start_s, piece.end_s, piece.frames) == (8.0, 10.0, 50)
    assert last.stat().st_size == piece.size_bytes
    (tmp_path / "empty.ts").write_bytes(b"")
    assert read_piece(tmp_path / "empty.ts", 3) is None
    reel.close()
