"""What two fingerprints share is found with its times, after edits; and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.matching import compare
from inspector.model import Fingerprint, HashArray, Match, Segment, Verdict, View, identical_match
from tests.unit.matching.films import (
    cut_out,
    damaged,
    make_film,
    make_still,
    mirrored,
    mute,
    retimed,
    splice,
    turned_bits,
    with_view,
    without_cuts,
)

FILM = make_film(1)
OTHER = make_film(2)


def found(a: Fingerprint, b: Fingerprint) -> Match:
    match = compare(a, b)
    assert match is not None
    assert match.score > 0.9
    return match


def assert_times(segment: Segment, *times_s: float, within_s: float = 0.5) -> None:
    ends = (segment.a_start_s, segment.a_end_s, segment.b_start_s, segment.b_end_s)
    assert ends == pytest.approx(times_s, abs=within_s)


def score_of(a: Fingerprint, b: Fingerprint) -> float:
    match = compare(a, b)
    return match.score if match else 0.0


def test_a_copy_is_a_duplicate() -> None:
    match = found(FILM, damaged(FILM, 7, bits=4))
    assert match.verdict is Verdict.DUPLICATE
    assert match.speed == 1.0
    assert len(match.segments) == 1
    assert_times(match.segments[0], 0, 60, 0, 60)


def test_evidence_names_its_kinds() -> None:
    film = replace(FILM, motion_hashes=make_film(99).frame_hashes)
    evidence = found(film, damaged(film, 7, bits=4)).evidence
    assert evidence.cuts == evidence.absolute_cuts == len(FILM.cuts_s)
    assert evidence.frames > 250
    assert evidence.sounds > 400
    assert set(evidence.weights) == {"cuts", "frames", "motion", "presence", "sounds", "line", "chance"}
    assert min(evidence.weights[kind] for kind in ("cuts", "frames", "motion", "presence", "sounds")) > 0


@pytest.mark.parametrize("bits", [2, 8])
def test_contributions_add_up_to_the_log_odds_of_the_score(bits: int) -> None:
    match = compare(damaged(mute(cut_out(FILM, 7.0, 13.0)), 7, bits=bits), FILM)
    assert match is not None
    odds = sum(match.evidence.weights.values())
    assert match.score == pytest.approx(1 / (1 + np.exp(-odds)))


@pytest.mark.parametrize(("start", "end"), [(20.0, 30.0), (31.3, 38.7), (0.0, 12.0), (48.0, 60.0)])
def test_a_clip_is_found_where_it_was_cut_out(start: float, end: float) -> None:
    match = found(damaged(cut_out(FILM, start, end), 7, bits=4), FILM)
    assert match.verdict is Verdict.CONTAINED
    assert_times(match.segments[0], 0, end - start, start, end)


def test_a_clip_within_other_footage_is_partial() -> None:
    embedding = splice(
        cut_out(OTHER, 0, 20), damaged(cut_out(FILM, 20, 35), 7, bits=4), cut_out(OTHER, 20, 40)
    )
    match = found(embedding, FILM)
    assert match.verdict is Verdict.PARTIAL
    assert len(match.segments) == 1
    assert_times(match.segments[0], 20, 35, 20, 35)


@pytest.mark.parametrize("speed", [0.9, 1.05, 1.25])
def test_another_speed_is_measured(speed: float) -> None:
    match = found(damaged(retimed(FILM, speed), 7, bits=4), FILM)
    assert match.speed == pytest.approx(speed, rel=0.004)
    assert_times(match.segments[0], 0, 60 / speed, 0, 60)


def test_a_mirrored_copy_is_found() -> None:
    assert_times(found(mute(damaged(mirrored(FILM), 7, bits=4)), FILM).segments[0], 0, 60, 0, 60)


def test_reordered_halves_are_two_segments() -> None:
    match = found(splice(cut_out(FILM, 30, 60), cut_out(FILM, 0, 30)), FILM)
    assert match.verdict is Verdict.DUPLICATE
    assert len(match.segments) == 2
    assert_times(match.segments[0], 0, 30, 30, 60)
    assert_times(match.segments[1], 30, 60, 0, 30)


def test_missing_cuts_survive() -> None:
    assert found(without_cuts(damaged(FILM, 7, bits=6), 3, share=0.4), FILM).verdict is Verdict.DUPLICATE


def test_pictures_alone_are_enough() -> None:
    assert found(mute(damaged(FILM, 7, bits=8)), FILM).verdict is Verdict.DUPLICATE


def test_sound_alone_is_enough() -> None:
    """The same sound under other pictures."""
    dubbed = replace(
        FILM, cuts_s=OTHER.cuts_s, frame_hashes=OTHER.frame_hashes, frame_novelty=OTHER.frame_novelty
    )
    match = found(damaged(dubbed, 7, bits=4), FILM)
    assert match.evidence.weights["frames"] == 0
    assert_times(match.segments[0], 0, 60, 0, 60, within_s=1.0)


def test_cuts_and_poor_pictures_are_enough() -> None:
    assert found(mute(damaged(FILM, 7, bits=24)), FILM).evidence.cuts > 8


@pytest.mark.parametrize(("view", "every"), [(View.CENTRE, 5), (View.INSET, 1)])
def test_a_part_of_a_picture_meets_the_whole_of_another(view: View, every: int) -> None:
    part = mute(replace(make_film(21), cuts_s=np.zeros(0)))
    whole = with_view(mute(OTHER), part, view, every=every)
    clip = damaged(cut_out(part, 20.0, 40.0), 3, bits=4)
    assert_times(found(clip, whole).segments[0], 0, 20, 20, 40, within_s=1.2)
    assert_times(found(whole, clip).segments[0], 20, 40, 0, 20, within_s=1.2)
    assert_times(found(mirrored(clip), whole).segments[0], 0, 20, 20, 40, within_s=1.2)


def test_one_inset_in_two_pictures_is_found() -> None:
    part = make_film(21)
    sides = [with_view(mute(make_film(seed)), part, View.INSET) for seed in (31, 32)]
    assert_times(found(*sides).segments[0], 0, 60, 0, 60)


@pytest.mark.parametrize("seed", range(20))
def test_unrelated_films_are_no_match(seed: int) -> None:
    assert score_of(make_film(100 + seed), make_film(200 + seed)) < 0.2


def test_two_different_stills_are_no_match() -> None:
    assert compare(make_still(1), make_still(2)) is None


def test_a_still_picture_says_little_however_long_it_is_shown() -> None:
    short, long = make_still(1, 10.0), make_still(1, 300.0)
    assert score_of(short, long) < 0.5
    assert score_of(long, long) < 0.5


def test_black_says_nothing() -> None:
    black = make_still(1, 20.0, picture=0)
    assert compare(black, make_still(2, 30.0, picture=0)) is None
    assert score_of(splice(black, FILM), splice(black, OTHER)) < 0.2


def test_silence_says_nothing() -> None:
    """Equal sub-fingerprints of weight 0 under different pictures."""
    silent = [
        replace(f, sound_hashes=np.zeros_like(f.sound_hashes), sound_weight=np.zeros_like(f.sound_weight))
        for f in (FILM, OTHER)
    ]
    assert score_of(*silent) < 0.2


def test_a_repeating_sound_says_little() -> None:
    """The same second of sound over and over: it resembles itself at every offset."""
    looped = [
        replace(f, sound_hashes=np.resize(FILM.sound_hashes[:8], len(f.sound_hashes))) for f in (FILM, OTHER)
    ]
    assert score_of(*looped) < 0.5


def test_a_fixed_camera_at_another_time_is_no_match() -> None:
    """One background, other things moving before it: present, but aligned nowhere."""
    assert score_of(_camera(5), _camera(6)) < 0.5


def test_a_copy_of_a_fixed_camera_is_a_match() -> None:
    assert found(cut_out(damaged(_camera(5), 7, bits=2), 10, 30), _camera(5)).verdict is Verdict.CONTAINED


def test_what_moves_tells_takes_of_one_place_apart() -> None:
    here, there = (replace(_camera(seed), motion_hashes=_motion(seed)) for seed in (5, 6))
    copy = replace(
        damaged(here, 7, bits=2),
        motion_hashes=here.motion_hashes ^ turned_bits(np.random.default_rng(3), 200, 8),
    )
    match = found(cut_out(copy, 10, 30), here)
    assert match.score > 0.99
    assert_times(match.segments[0], 0, 20, 10, 30)
    assert score_of(cut_out(there, 10, 30), here) < 0.1


def _motion(seed: int) -> HashArray:
    return np.random.default_rng(seed).integers(2, 2**63, size=200, dtype=np.uint64) << np.uint64(1)


def _camera(seed: int) -> Fingerprint:
    """The background of one place; a few bits come and go with what moves."""
    still = make_still(0, 40.0, picture=0x5A5A_1234_9ABC_DEF0)
    rng = np.random.default_rng(seed)
    moving = turned_bits(rng, len(still.frame_hashes), 6)
    return replace(
        still,
        frame_hashes=still.frame_hashes ^ moving,
        frame_novelty=np.full(len(moving), 0.05, np.float32),
    )


@settings(max_examples=25)
@given(
    seed=st.integers(0, 50),
    start=st.floats(0, 20),
    length=st.floats(3, 30),
    speed=st.sampled_from([1.0, 1.0, 0.95, 1.1]),
    bits=st.integers(0, 20),
    related=st.booleans(),
)
def test_both_directions_say_the_same(
    seed: int, start: float, length: float, speed: float, bits: int, related: bool
) -> None:
    film = make_film(seed, 40.0)
    clip = cut_out(film if related else make_film(seed + 99, 40.0), start, min(start + length, 40.0))
    query = damaged(retimed(clip, speed), seed, bits=max(bits, 1))
    here, there = compare(query, film), compare(film, query)
    assert (here is None) == (there is None)
    if here and there:
        _assert_same(here, there.flipped())


def _assert_same(a: Match, b: Match) -> None:
    assert (a.score, a.verdict, a.evidence) == (b.score, b.verdict, b.evidence)
    assert a.speed == pytest.approx(b.speed)
    assert len(a.segments) == len(b.segments)
    for s, t in zip(a.segments, b.segments, strict=True):
        assert_times(s, t.a_start_s, t.a_end_s, t.b_start_s, t.b_end_s, within_s=1e-6)


def test_segments_lie_within_both_contents() -> None:
    for seed in range(5):
        clip = damaged(retimed(cut_out(FILM, 10.1, 25.7), 1.05), seed, bits=8)
        for segment in found(clip, FILM).segments:
            assert 0 <= segment.a_start_s < segment.a_end_s <= clip.duration_s + 1e-6
            assert 0 <= segment.b_start_s < segment.b_end_s <= FILM.duration_s + 1e-6


def test_empty_fingerprints_match_nothing() -> None:
    empty = mute(cut_out(FILM, 70, 80))
    assert compare(empty, FILM) is None
    assert compare(empty, empty) is None


def test_equal_bytes_need_no_comparison() -> None:
    match = identical_match(12.5)
    assert (match.score, match.verdict, match.evidence.identical_bytes) == (1.0, Verdict.DUPLICATE, True)
    assert match.segments == (Segment(0.0, 12.5, 0.0, 12.5, 1.0),)


def test_two_segments_on_one_line_are_both_told() -> None:
    """What stands between them was replaced by something else of the same length."""
    film = make_film(1, 90.0)
    host = splice(cut_out(film, 0.0, 30.0), make_film(3, 10.0), cut_out(film, 40.0, 70.0))
    match = compare(host, film)
    assert match is not None
    assert [round(s.a_start_s) for s in match.segments] == [0, 40]
