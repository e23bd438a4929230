"""Times of packets, read from ffmpeg's text in whatever pieces it arrives."""

from __future__ import annotations

import pytest

from inspector.media.essence import KEPT_TIMES, PacketTimes
from inspector.media.streams import NO_TIME

HEAD = b"#software: Lavf\n#tb 0: 1/1000\n#tb 1: 1/48000\n"


def line(stream: int, pts: int) -> bytes:
    return b"%d, %10d, %10d,  512,  4174, 0x0badcafe\n" % (stream, pts, pts)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_times_of_both_streams_are_kept_however_the_text_is_sliced(piece: int) -> None:
    text = HEAD + line(1, -1104) + line(0, 0) + line(1, 48000) + line(0, 40)
    times = PacketTimes()
    for at in range(0, len(text), piece):
        times.take(text[at : at + piece])
    assert times.kept_ms == (0, 40, -23, 1000)
    assert (times.latest_s, times.complete) == (1.0, True)


def test_few_times_of_many_packets_are_kept_evenly_spread() -> None:
    times = PacketTimes()
    times.take(HEAD + b"".join(line(0, n) for n in range(10_000)))
    steps = {b - a for a, b in zip(times.kept_ms, times.kept_ms[1:], strict=False)}
    assert KEPT_TIMES <= len(times.kept_ms) < 2 * KEPT_TIMES
    assert (len(steps), times.kept_ms[0]) == (1, 0)


def test_a_packet_without_a_time_makes_them_incomplete() -> None:
    times = PacketTimes()
    times.take(HEAD + line(0, 0) + line(0, NO_TIME))
    assert not times.complete
