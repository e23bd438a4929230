"""Stream time: groups of made-up streams, laid on the tape as sources, kills and clocks may bring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.media.transport import CLOCK_TICKS, PACKET_BYTES, TICKS_PER_S, Group
from inspector.worker.recording.tape import Gap, Laid, Tape

GROUP_S = 2
RATE = 25


def time_field(ticks: int, mark: int) -> list[int]:
    return [
        mark << 4 | ticks >> 29 & 0x0E | 1,
        ticks >> 22 & 0xFF,
        ticks >> 14 & 0xFE | 1,
        ticks >> 7 & 0xFF,
        ticks << 1 & 0xFE | 1,
    ]


def group(start_s: float, *, frames: int = GROUP_S * RATE, clock_s: float = 0.0, look: int = 0) -> Group:
    """Pictures at 25 a second from this time on, one packet each, by a clock that is `clock_s` ahead."""
    packets = np.zeros((frames, PACKET_BYTES), np.uint8)
    for i in range(frames):
        ticks = round((start_s + clock_s) * TICKS_PER_S) + i * TICKS_PER_S // RATE
        begin = [
            0x47,
            0x41,
            0x00,
            0x10,
            0,
            0,
            1,
            0xE0,
            0,
            0,
            0x80,
            0x80,
            5,
            *time_field(ticks % CLOCK_TICKS, 2),
        ]
        packets[i, : len(begin)] = begin
        packets[i, 100] = look
    return Group(packets, b"", key=True)


@dataclass
class Recorded:
    """A tape, and what it told."""

    tape: Tape
    items: list[Laid | Gap]

    def add(self, one: Group, now: float) -> None:
        self.items += self.tape.add(one, now)

    def cut(self, rest: Group | None, now: float, reason: str = "recorder_killed") -> None:
        self.items += self.tape.cut_short(rest, reason, now)

    def end(self) -> Recorded:
        self.items += self.tape.release()
        return self

    @property
    def laid(self) -> list[tuple[float, float]]:
        return [(round(i.start_s, 3), round(i.end_s, 3)) for i in self.items if isinstance(i, Laid)]

    @property
    def gaps(self) -> list[tuple[float, float, str]]:
        return [(round(i.start_s, 3), round(i.end_s, 3), i.reason) for i in self.items if isinstance(i, Gap)]


@pytest.fixture
def made() -> Recorded:
    return Recorded(Tape(), [])


def whole(count: int, start: int = 0) -> list[tuple[float, float]]:
    return [(start + 2.0 * n, start + 2.0 * n + 2) for n in range(count)]


@pytest.mark.parametrize("clock_s", [0.0, 5000.5, (CLOCK_TICKS - 5 * TICKS_PER_S) / TICKS_PER_S])
def test_stream_time_begins_at_zero_and_follows_the_source_s_clock(made: Recorded, clock_s: float) -> None:
    for n in range(6):
        made.add(group(2 * n, clock_s=clock_s), now=2.0 * n)
    assert made.laid == whole(6)
    assert made.gaps == []


def test_what_a_playlist_delivers_again_is_told_by_its_times_and_nothing_is_lost(made: Recorded) -> None:
    for n in range(3):
        made.add(group(2 * n), now=6.0)
    made.cut(group(6, frames=20), now=7.0)
    for n in (1, 2, 3, 4):  # the window still holds two known segments, and the torn one whole
        made.add(group(2 * n), now=9.0)
    assert made.laid == whole(5)
    assert made.gaps == []


def test_a_playlist_of_one_loop_over_and_over_is_told_apart(made: Recorded) -> None:
    """Its clock begins anew with each loop, so times alone are not unique."""
    loop = [group(2 * n, look=n) for n in range(3)]
    for n in range(7):
        made.add(loop[n % 3], now=2.0 * n)
    made.cut(group(2, frames=9, look=1), now=15.0)
    for n in range(5, 11):  # 5, 6 known, 7 torn
        made.add(loop[n % 3], now=16.0 + n)
    assert made.laid == whole(11)
    assert made.gaps == []


def test_a_source_that_goes_on_meanwhile_leaves_a_gap_of_its_own_clock(made: Recorded) -> None:
    made.add(group(100), now=0.0)
    made.cut(group(102, frames=10), now=2.4)
    made.add(group(106), now=8.0)
    assert made.laid == [(0.0, 2.0), (2.0, 2.4), (6.0, 8.0)]
    assert made.gaps == [(2.4, 6.0, "recorder_killed")]


def test_a_source_whose_clock_begins_anew_leaves_a_gap_of_the_wall_s_clock(made: Recorded) -> None:
    made.add(group(5000), now=10.0)
    made.cut(None, now=11.0, reason="source_ended")
    made.cut(None, now=13.0, reason="source_failed")  # it was asked again
    made.add(group(0), now=15.0)
    made.add(group(2), now=17.0)
    assert made.laid == [(0.0, 2.0), (7.0, 9.0), (9.0, 11.0)]
    assert made.gaps == [(2.0, 7.0, "source_ended")]


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_a_clock_that_jumps_in_midstream_makes_no_gap(made: Recorded, jump_s: float) -> None:
    made.add(group(0, clock_s=4000), now=0.0)
    made.add(group(2, clock_s=4000 + jump_s), now=2.0)
    assert made.laid == whole(2)
    assert made.gaps == []


def test_what_is_missing_in_midstream_is_a_gap(made: Recorded) -> None:
    made.add(group(0), now=0.0)
    made.add(group(8), now=8.0)
    assert made.laid == [(0.0, 2.0), (8.0, 10.0)]
    assert made.gaps == [(2.0, 8.0, "source_jumped")]


def test_what_is_held_back_is_laid_when_nothing_comes(made: Recorded) -> None:
    made.add(group(0), now=0.0)
    made.cut(group(2, frames=25), now=3.0)
    assert made.laid == [(0.0, 2.0)]
    assert made.end().laid == [(0.0, 2.0), (2.0, 3.0)]


@given(
    kills=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 49)), max_size=8),
    window=st.integers(2, 6),
)
def test_however_often_it_is_killed_a_playlist_loses_and_repeats_nothing(
    kills: Sequence[tuple[int, int]], window: int
) -> None:
    """Each kill comes some groups and some frames after the last one; the window holds what was torn."""
    made = Recorded(Tape(), [])
    at = 0
    for count, frames in kills:
        for n in range(max(0, at - window), at + count):
            made.add(group(2 * n), now=2.0 * n)
        at += count
        made.cut(group(2 * at, frames=frames), now=2.0 * at)
    for n in range(max(0, at - window), at + 3):
        made.add(group(2 * n), now=2.0 * n)
    assert made.end().laid == whole(at + 3)
    assert made.gaps == []


def test_the_next_tape_begins_where_this_one_ends_and_knows_what_was_delivered(made: Recorded) -> None:
    for n in range(4):
        made.add(group(2 * n, clock_s=90.0), now=2.0 * n)
    following = Recorded(made.tape.successor(), [])
    following.cut(None, now=8.0)
    assert (made.tape.settled, following.tape.settled) == (True, False)
    for n in (2, 3, 4):  # a playlist is entered at its oldest segment
        following.add(group(2 * n, clock_s=90.0), now=9.0)
    assert (following.laid, following.gaps) == ([(0.0, 2.0)], [])
    assert following.tape.settled
    late = Recorded(made.tape.successor(), [])
    late.add(group(11, clock_s=90.0), now=11.0)
    assert (late.laid, late.gaps) == ([(3.0, 5.0)], [(0.0, 3.0, "source_jumped")])


def test_a_server_s_greeting_is_known_and_a_film_that_begins_anew_is_not(made: Recorded) -> None:
    def cut(now: float) -> None:
        made.items += made.tape.cut_short(None, "source_ended", now, again_s=15.0)

    for n in range(20):
        made.add(group(2 * n), now=2.0 * n)
    cut(40.0)
    for n in (19, 20):
        made.add(group(2 * n), now=41.0)
    assert (made.laid, made.gaps) == (whole(21), [])
    cut(42.0)
    for n in range(3):
        made.add(group(2 * n), now=45.0 + 2 * n)
    assert made.laid[21:] == [(46.0, 48.0), (48.0, 50.0), (50.0, 52.0)]
    assert made.gaps == [(42.0, 46.0, "source_ended")]
