"""Identical streams: recognised wherever a container lets them begin, and told without a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inspector.matching.identity import displace, displace_match, displacement_ms, match_streams
from inspector.model import Essence, Evidence, Match, Segment, Verdict
from tests.unit.matching.films import make_film

ESSENCE = Essence(b"streams", (0, 33, 67, 100, -23, 0, 23, 46), 4000)
SEEN = make_film(1, 30.0)


def later(by_ms: int, *, jitter_ms: int = 0) -> Essence:
    times = tuple(time + by_ms + jitter_ms * (-1) ** n for n, time in enumerate(ESSENCE.packet_times_ms))
    return replace(ESSENCE, packet_times_ms=times, duration_ms=ESSENCE.duration_ms + by_ms)


@pytest.mark.parametrize("by_ms", [-62, -23, 0, 23, 62])
def test_a_whole_that_stands_later_is_found_from_both_sides(by_ms: int) -> None:
    assert displacement_ms(ESSENCE, later(by_ms, jitter_ms=1)) == by_ms
    assert displacement_ms(later(by_ms), ESSENCE) == -by_ms


@pytest.mark.parametrize(
    "other",
    [
        None,
        replace(ESSENCE, digest=b"others"),
        replace(ESSENCE, packet_times_ms=ESSENCE.packet_times_ms[:-1]),
        replace(ESSENCE, packet_times_ms=(*ESSENCE.packet_times_ms[:-1], 50)),
        replace(ESSENCE, duration_ms=4200),
        later(200),
    ],
    ids=["unsure", "other packets", "fewer packets", "other times", "longer", "hidden packets"],
)
def test_what_differs_in_anything_that_is_shown_is_not_the_same(other: Essence | None) -> None:
    assert displacement_ms(ESSENCE, other) is None


def test_all_times_of_a_fingerprint_move_together() -> None:
    moved = displace(SEEN, 23)
    assert moved.duration_s == pytest.approx(SEEN.duration_s + 0.023)
    for name in ("cuts_s", "frame_times_s", "sound_times_s"):
        assert np.allclose(getattr(moved, name) - getattr(SEEN, name), 0.023), name
    assert np.array_equal(moved.frame_hashes, SEEN.frame_hashes)


def test_no_time_moves_before_the_start() -> None:
    assert displace(SEEN, -5000).frame_times_s.min() == 0.0


def test_identical_streams_are_duplicates_at_the_same_speed_from_both_sides() -> None:
    moved = displace(SEEN, 23)
    match = match_streams(SEEN, moved, 23)
    assert (match.verdict, match.score, match.speed) == (Verdict.DUPLICATE, 1.0, 1.0)
    (segment,) = match.segments
    assert (segment.a_start_s, segment.b_start_s) == (0.0, 0.023)
    assert segment.a_end_s == pytest.approx(SEEN.duration_s)
    assert match_streams(moved, SEEN, -23) == match.flipped()


def test_a_match_is_told_of_the_displaced_content_with_its_own_times() -> None:
    match = Match((Segment(1.0, 5.0, 11.0, 15.0, 0.9),), 1.0, 0.9, Verdict.PARTIAL, Evidence(frames=9))
    (segment,) = displace_match(match, 23).segments
    assert (segment.a_start_s, segment.a_end_s) == pytest.approx((1.023, 5.023))
    assert (segment.b_start_s, segment.b_end_s) == (11.0, 15.0)
