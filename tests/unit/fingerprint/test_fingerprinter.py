"""A fingerprint is a function of the video alone, small, and quick to make."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.fingerprint import PARTS, Fingerprinter
from inspector.freezing import freeze, thaw
from inspector.model import Fingerprint, FrameBatch
from tests.unit.fingerprint.pictures import film, fingerprint_of, melody

FRAMES = film((1.0, 2.2, 6.0, 9.9, 14.0, 21.0), 30.0)
SOUND = melody(30.0)
WHOLE = fingerprint_of(FRAMES, SOUND)


def assert_equal(a: Fingerprint, b: Fingerprint) -> None:
    for name in Fingerprint.__slots__:
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(FRAMES.times_s)), max_size=12).map(sorted))
def test_slicing_into_batches_makes_no_difference(batches: list[int]) -> None:
    assert_equal(fingerprint_of(FRAMES, SOUND, batches=batches), WHOLE)


def test_frame_by_frame_is_the_same_too() -> None:
    assert_equal(fingerprint_of(FRAMES, SOUND, batches=range(1, len(FRAMES.times_s))), WHOLE)


def test_times_ascend_and_arrays_fit_together() -> None:
    for times in (WHOLE.cuts_s, WHOLE.frame_times_s, WHOLE.sound_times_s):
        assert (np.diff(times) > 0).all()
    assert len(WHOLE.frame_times_s) == len(WHOLE.frame_hashes) == len(WHOLE.frame_novelty)
    assert len(WHOLE.frame_times_s) == len(WHOLE.motion_hashes)
    assert len(WHOLE.sound_times_s) == len(WHOLE.sound_hashes) == len(WHOLE.sound_weight)
    assert 0 <= WHOLE.frame_novelty.min() <= WHOLE.frame_novelty.max() <= 1
    assert WHOLE.frame_hashes.dtype == np.dtype(np.uint64)
    assert WHOLE.sound_hashes.dtype == np.dtype(np.uint32)


def test_frames_are_hashed_at_the_same_moments_after_a_cut() -> None:
    """Whatever stands before: here 0.13 s more."""
    later = FrameBatch(FRAMES.times_s[:-4] + 0.13, FRAMES.luma[:-4])
    opener = FrameBatch(np.array([0.0, 0.04, 0.08]), film((), 0.12, seed=9).luma)
    shifted = fingerprint_of(
        FrameBatch(np.concatenate((opener.times_s, later.times_s)), np.concatenate((opener.luma, later.luma)))
    )
    first_cut = WHOLE.cuts_s[0]
    here = WHOLE.frame_times_s[WHOLE.frame_times_s > first_cut]
    there = shifted.frame_times_s[shifted.frame_times_s > first_cut + 0.13]
    assert there[:100].tolist() == pytest.approx((here[:100] + 0.13).tolist())


def test_bars_do_not_change_the_hashes() -> None:
    """Letterbox: the same pictures, squeezed into three quarters of the height."""
    rows = (np.arange(27) * 36 / 27).astype(int)
    barred = np.full_like(FRAMES.luma, 16)
    barred[:, 4:31] = FRAMES.luma[:, rows]
    hashes = fingerprint_of(FrameBatch(FRAMES.times_s, barred)).frame_hashes
    assert np.median(np.bitwise_count(hashes ^ WHOLE.frame_hashes)) <= 6


def test_mirroring_flips_known_bits_only() -> None:
    odd = np.uint64(sum(1 << k for k in range(64) if k % 2))
    mirrored = fingerprint_of(FrameBatch(FRAMES.times_s, FRAMES.luma[:, :, ::-1])).frame_hashes
    assert np.median(np.bitwise_count(mirrored ^ odd ^ WHOLE.frame_hashes)) == 0


def test_a_still_picture_is_not_novel() -> None:
    still = FrameBatch(FRAMES.times_s[:250], FRAMES.luma[:1].repeat(250, axis=0))
    assert fingerprint_of(still).frame_novelty.max() < 0.01


def test_noisy_black_is_not_novel() -> None:
    luma = np.random.default_rng(0).integers(14, 19, size=(250, 36, 64)).astype(np.uint8)
    assert fingerprint_of(FrameBatch(FRAMES.times_s[:250], luma)).frame_novelty.max() < 0.15


def test_nothing_moves_in_a_still_and_at_the_start_of_a_shot() -> None:
    still = FrameBatch(FRAMES.times_s[:250], FRAMES.luma[:1].repeat(250, axis=0))
    assert not fingerprint_of(still).motion_hashes.any()
    first = np.searchsorted(WHOLE.frame_times_s, WHOLE.cuts_s)
    assert not WHOLE.motion_hashes[first].any()
    assert WHOLE.motion_hashes.any()


def test_what_stands_before_the_picture_does_not_change_its_motion() -> None:
    luma = FRAMES.luma.copy()
    luma[:, 24:30, 6:58] = luma[:, 24:30, 6:58] // 4 + np.arange(52, dtype=np.uint8) * 3
    captioned = fingerprint_of(FrameBatch(FRAMES.times_s, luma))
    apart = np.bitwise_count(captioned.motion_hashes ^ WHOLE.motion_hashes)[WHOLE.motion_hashes != 0]
    pictures = np.bitwise_count(captioned.frame_hashes ^ WHOLE.frame_hashes)
    assert np.median(apart) < np.median(pictures)


def test_nothing_in_nothing_out() -> None:
    empty = Fingerprinter().finish(1.5, truncated=True)
    assert (empty.duration_s, empty.truncated) == (1.5, True)
    assert not empty.cuts_s.size
    assert not empty.frame_hashes.size
    assert not empty.sound_hashes.size


def test_a_clock_that_stands_still_does_not_fill_the_memory() -> None:
    fingerprinter = Fingerprinter()
    luma = film((), 4.0).luma
    for _ in range(40):
        fingerprinter.add_frames(FrameBatch(np.zeros(100), luma))
    assert len(fingerprinter._window.times_s) <= 3000
    assert len(fingerprinter.finish(0.0, truncated=False).frame_times_s) == 1


def test_it_keeps_up_with_3000_frames_a_second() -> None:
    frames = FrameBatch(np.arange(6000) / 25, np.tile(FRAMES.luma, (8, 1, 1)))
    sound = melody(240.0)
    began = time.thread_time()
    fingerprint_of(frames, sound)
    assert 6000 / (time.thread_time() - began) > 3000


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, len(FRAMES.times_s) - 1), min_size=1, max_size=4, unique=True).map(sorted))
def test_a_fingerprinter_that_was_frozen_and_thawed_goes_on_as_if_nothing_had_happened(
    stops: list[int],
) -> None:
    fingerprinter, grown, begin = Fingerprinter(), list[bytes](), 0
    for end in [*stops, len(FRAMES.times_s)]:
        fingerprinter.add_frames(FrameBatch(FRAMES.times_s[begin:end], FRAMES.luma[begin:end]))
        ratio = len(SOUND) / len(FRAMES.times_s)
        fingerprinter.add_sound(SOUND[round(begin * ratio) : round(end * ratio)])
        frozen = freeze(fingerprinter, PARTS)
        frozen.mark_kept()
        grown.append(frozen.grown)
        fingerprinter, begin = thaw(frozen.state, grown, PARTS), end
    assert_equal(fingerprinter.finish(WHOLE.duration_s, truncated=False), WHOLE)
