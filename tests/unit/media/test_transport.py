"""Transport streams, made by the real ffmpeg, taken apart and laid together again."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import ToolFailed
from inspector.media.live import AS_TRANSPORT
from inspector.media.transport import CLOCK_TICKS, PACKET_BYTES, Group, GroupReader, Stamp, apart
from tests.film import make


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Eight seconds of picture and sound, with a key frame every two seconds and frames out of order."""
    folder = tmp_path_factory.mktemp("stream")
    sources = (
        "-f",
        "lavfi",
        "-t",
        "8",
        "-i",
        "testsrc2=s=160x90:r=25",
        "-f",
        "lavfi",
        "-t",
        "8",
        "-i",
        "sine",
    )
    film = make(folder / "film.mp4", *sources, "-g", "50", "-bf", "2", "-c:a", "aac")
    return make(folder / "film.ts", "-i", str(film), *AS_TRANSPORT, "-f", "mpegts").read_bytes()


def groups_of(data: bytes, *, step: int = 10_000, torn: bool = False) -> list[Group]:
    reader = GroupReader(from_start=True)
    found = [g for at in range(0, len(data), step) for g in reader.feed(data[at : at + step])]
    return [*found, *reader.finish(torn=torn)]


def packets(path: Path, stream: str) -> list[tuple[float, float, int]]:
    """(presentation time, decoding time, size) of each packet, as ffprobe tells them."""
    fields = ("-select_streams", stream, "-show_entries", "packet=pts_time,dts_time,size", "-of", "csv=p=0")
    done = subprocess.run(
        ["ffprobe", "-v", "error", *fields, path], check=True, capture_output=True, text=True
    )
    return [
        (float(p), float(d), int(s))
        for p, d, s in (line.strip(",").split(",")[:3] for line in done.stdout.split())
    ]


def test_groups_begin_at_key_frames_and_hold_everything(stream: bytes) -> None:
    groups = groups_of(stream)
    assert [len(group.pictures) for group in groups] == [50, 50, 50, 50]
    assert all(group.key and group.tables for group in groups)
    assert [apart(b.start, a.end) for a, b in pairwise(groups)] == [0, 0, 0]
    assert all(group.first <= group.start for group in groups)


@given(step=st.integers(1, 5000), size=st.integers(0, 60_000))
def test_pieces_of_any_size_make_the_same_groups(stream: bytes, step: int, size: int) -> None:
    part = stream[:size]
    found, whole = groups_of(part, step=step), groups_of(part)
    assert [group.packets.tobytes() for group in found] == [group.packets.tobytes() for group in whole]


def test_a_group_that_is_cut_short_loses_only_the_frame_at_work(stream: bytes) -> None:
    at = len(stream) * 3 // 8 + 57
    (first, last) = groups_of(stream[:at], torn=True)
    assert len(first.pictures) == 50
    assert 0 < len(last.pictures) < 50
    assert last.identity == groups_of(stream)[1].identity
    assert groups_of(stream[:at], torn=True)[1].identity != first.identity


@pytest.mark.parametrize("shift_s", [0.0, 3600.0, 23.98 * 3600])
def test_stamped_groups_are_the_same_stream_at_another_time(
    stream: bytes, tmp_path: Path, shift_s: float
) -> None:
    stamp, shift = Stamp(), round(shift_s * 90_000)
    (tmp_path / "before.ts").write_bytes(stream)
    (tmp_path / "after.ts").write_bytes(b"".join(stamp.apply(group, shift) for group in groups_of(stream)))
    for kind in ("v", "a"):
        before, after = (packets(tmp_path / name, kind) for name in ("before.ts", "after.ts"))
        assert len(before) == len(after)
        moved = np.array(after)[:, :2] - np.array(before)[:, :2]
        assert np.allclose(moved, shift_s, atol=2e-5)
        assert [size for *_, size in before] == [size for *_, size in after]
    said = subprocess.run(
        ["ffmpeg", "-v", "warning", "-i", tmp_path / "after.ts", "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Continuity" not in said.stderr
    assert "corrupt" not in said.stderr


def test_other_sizes_are_told_by_their_parameters(stream: bytes, tmp_path: Path) -> None:
    other = make(tmp_path / "o.mp4", "-f", "lavfi", "-t", "1", "-i", "testsrc2=s=320x180:r=25")
    changed = make(tmp_path / "o.ts", "-i", str(other), *AS_TRANSPORT, "-f", "mpegts").read_bytes()
    known = {group.parameters for group in groups_of(stream)}
    assert len(known) == 1
    assert all(picture and sound for picture, sound in known)
    assert not known & {group.parameters for group in groups_of(changed)}


def test_what_is_no_transport_stream_is_told() -> None:
    with pytest.raises(ToolFailed, match="no transport stream"):
        groups_of(b"x" * PACKET_BYTES)


@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31))
def test_times_are_compared_across_the_clocks_end(time: int, delta: int) -> None:
    assert apart((time + delta) % CLOCK_TICKS, time % CLOCK_TICKS) == delta
