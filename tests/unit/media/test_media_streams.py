"""Joining pixels and samples with their times, whatever pieces they arrive in."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inspector.errors import MediaRejected, RejectReason, ToolFailed
from inspector.media.streams import (
    BATCH_FRAMES,
    CHUNK_BYTES,
    FRAME_BYTES,
    NO_TIME,
    Frames,
    Packet,
    Sound,
    Times,
)
from inspector.model import SOUND_RATE_HZ, FrameBatch

HOUR_S = 3600.0


def frame_times(times_us: Iterable[int], duration_us: int = 40_000) -> bytes:
    lines = [f"0, {t}, {t}, {duration_us}, {FRAME_BYTES}, 0x0\n" for t in times_us]
    return ("#software: Lavf\n#tb 0: 1/1000000\n" + "".join(lines)).encode()


def pixels(count: int) -> bytes:
    """Frames whose every pixel says which frame it is."""
    return b"".join(bytes([n % 256]) * FRAME_BYTES for n in range(count))


def collect(times_us: Sequence[int], *, max_duration_s: float = HOUR_S) -> list[FrameBatch]:
    batches: list[FrameBatch] = []
    frames = Frames(batches.append, max_duration_s=max_duration_s)
    frames.take_times(frame_times(times_us))
    frames.take_pixels(pixels(len(times_us)))
    frames.finish()
    return batches


def test_times_are_exact_in_the_unit_the_header_names() -> None:
    packets = list(Times().parse(b"#tb 0: 1001/24000\n0,  3,  3,  1,  2304, 0x4bcf7b57\n"))
    assert packets == [Packet(3 * 1001 / 24000, 1001 / 24000, 2304)]


def test_a_packet_without_a_time_follows_the_one_before() -> None:
    text = f"#tb 0: 1/100\n0, 5, 5, 4, 9, 0x0\n0, 9, {NO_TIME}, 4, 9, 0x0\n".encode()
    assert [packet.start_s for packet in Times().parse(text)] == [0.05, 0.09]


@pytest.mark.parametrize("line", [b"0, 1, x, 3, 4, 0x0\n", b"0, 1\n", b"#tb 0: 1/0\n"])
def test_a_line_that_is_no_packet_is_a_failure_of_the_tool(line: bytes) -> None:
    with pytest.raises(ToolFailed):
        list(Times().parse(line))


@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_times_do_not_depend_on_the_pieces_they_arrive_in(cuts: list[int]) -> None:
    text = frame_times(range(0, 400_000, 40_000))
    bounds = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    times = Times()
    packets = [p for a, b in itertools.pairwise(bounds) for p in times.parse(text[a:b])]
    assert [p.start_s for p in packets] == pytest.approx([n * 0.04 for n in range(10)])


@given(sizes=st.lists(st.integers(10_000, 2_000_000), min_size=1, max_size=9))
def test_frames_keep_their_times_whatever_pieces_they_arrive_in(sizes: list[int]) -> None:
    batches: list[FrameBatch] = []
    frames = Frames(batches.append, max_duration_s=HOUR_S)
    frames.take_times(frame_times(range(0, 600 * 40_000, 40_000)))
    data = pixels(600)
    for size in itertools.cycle(sizes):
        frames.take_pixels(data[:size])
        data = data[size:]
        if not data:
            break
    frames.finish()
    assert np.concatenate([b.times_s for b in batches]) == pytest.approx(np.arange(600) * 0.04)
    luma = np.concatenate([b.luma for b in batches])
    assert luma.shape == (600, 36, 64)
    assert (luma == (np.arange(600) % 256).astype(np.uint8)[:, None, None]).all()


def test_batches_are_handed_on_while_frames_arrive() -> None:
    batches: list[FrameBatch] = []
    frames = Frames(batches.append, max_duration_s=HOUR_S)
    for n in range(BATCH_FRAMES + 1):
        frames.take_pixels(bytes(FRAME_BYTES))
        frames.take_times(f"0, {n}, {n}, 1, {FRAME_BYTES}, 0x0\n".encode())
    assert [len(batch.times_s) for batch in batches] == [BATCH_FRAMES]
    assert frames.seen_s == pytest.approx(BATCH_FRAMES * 1e-6)


def test_times_ascend_strictly_because_a_frame_nobody_sees_is_dropped() -> None:
    (batch,) = collect([0, 40_000, 40_000, 20_000, 80_000])
    assert batch.times_s.tolist() == [0.0, 0.04, 0.08]
    assert batch.luma[:, 0, 0].tolist() == [0, 1, 4]


def test_times_ascend_strictly_over_the_edge_of_a_batch() -> None:
    times = [*range(BATCH_FRAMES), BATCH_FRAMES - 1, BATCH_FRAMES]
    assert sum(len(batch.times_s) for batch in collect(times)) == BATCH_FRAMES + 1


def test_frames_beyond_the_longest_duration_are_too_long() -> None:
    with pytest.raises(MediaRejected) as caught:
        collect([0, 3_000_000], max_duration_s=2)
    assert caught.value.reason is RejectReason.TOO_LONG


def test_the_last_frame_and_the_longest_gap_are_remembered() -> None:
    frames = Frames(lambda _: None, max_duration_s=HOUR_S)
    frames.take_times(frame_times([0, 500_000, 540_000], duration_us=40_000))
    frames.take_pixels(pixels(3))
    frames.finish()
    assert (frames.count, frames.last_s, frames.last_duration_s) == (3, 0.54, 0.04)
    assert frames.longest_gap_s == pytest.approx(0.5)


# ---------------------------------------------------------------- sound


def hear(*packets: tuple[int, int], max_duration_s: float = HOUR_S) -> NDArray[np.int16]:
    """What comes of packets of (first sample, how many), each filled with its own number, from 1."""
    chunks: list[NDArray[np.int16]] = []
    sound = Sound(chunks.append, max_duration_s=max_duration_s)
    for number, (start, count) in enumerate(packets, 1):
        line = f"0, {start}, {start}, {count}, {2 * count}, 0x0\n"
        sound.take_times((f"#tb 0: 1/{SOUND_RATE_HZ}\n" + line).encode())
        sound.take_samples(np.full(count, number, dtype="<i2").tobytes())
    sound.finish()
    assert all(chunk.dtype == np.int16 for chunk in chunks)
    return np.concatenate(chunks) if chunks else np.zeros(0, np.int16)


def test_sound_that_starts_late_is_preceded_by_silence() -> None:
    heard = hear((SOUND_RATE_HZ, 500))
    assert len(heard) == SOUND_RATE_HZ + 500
    assert not heard[:SOUND_RATE_HZ].any()
    assert (heard[SOUND_RATE_HZ:] == 1).all()


def test_a_gap_is_filled_with_silence_and_what_follows_is_in_its_place() -> None:
    heard = hear((0, 1000), (5000, 1000))
    assert len(heard) == 6000
    assert (heard[5000:] == 2).all()


def test_sound_before_the_start_is_dropped() -> None:
    assert len(hear((-3000, 1000), (-2000, 3000))) == 1000


def test_sound_that_overlaps_is_dropped() -> None:
    heard = hear((0, 3000), (1000, 3000))
    assert len(heard) == 4000
    assert (heard[:3000] == 1).all()


def test_times_that_jitter_move_no_sound() -> None:
    assert len(hear((0, 1000), (1011, 1000), (1990, 1000))) == 3000


def test_a_long_silence_is_handed_on_in_chunks() -> None:
    sizes: list[int] = []
    sound = Sound(lambda chunk: sizes.append(chunk.nbytes), max_duration_s=HOUR_S)
    sound.take_times(f"#tb 0: 1/{SOUND_RATE_HZ}\n0, 0, {600 * SOUND_RATE_HZ}, 1, 2, 0x0\n".encode())
    sound.take_samples(b"\0\0")
    assert len(sizes) > 100
    assert max(sizes) < 2 * CHUNK_BYTES


def test_sound_beyond_the_longest_duration_is_too_long() -> None:
    with pytest.raises(MediaRejected) as caught:
        hear((0, 10), (3 * SOUND_RATE_HZ, 10), max_duration_s=2)
    assert caught.value.reason is RejectReason.TOO_LONG


def test_sound_keeps_its_place_whatever_pieces_it_arrives_in() -> None:
    chunks: list[NDArray[np.int16]] = []
    sound = Sound(chunks.append, max_duration_s=HOUR_S)
    samples = np.arange(3000, dtype="<i2").tobytes()
    for n in range(0, len(samples), 7):
        sound.take_samples(samples[n : n + 7])
    sound.take_times(f"#tb 0: 1/{SOUND_RATE_HZ}\n0, 0, 0, 3000, 6000, 0x0\n".encode())
    sound.finish()
    assert np.concatenate(chunks).tolist() == list(range(3000))
    assert sound.end_s == pytest.approx(3000 / SOUND_RATE_HZ)
