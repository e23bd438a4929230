"""Cuts are found right to the frame at any frame rate; flashes, fades and motion are none."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.model import FrameBatch
from tests.unit.fingerprint.pictures import film, fingerprint_of, shot

CUTS = (1.0, 2.4, 2.8, 5.0, 7.2)


@pytest.mark.parametrize("rate", [10, 23.976, 25, 29.97, 50, 60, 120])
def test_a_cut_is_the_time_of_the_first_new_frame(rate: float) -> None:
    frames = film(CUTS, 9.0, rate=rate)
    first = [float(frames.times_s[frames.times_s >= cut - 1e-9][0]) for cut in CUTS]
    assert fingerprint_of(frames).cuts_s.tolist() == first


def test_frames_at_uneven_times_make_no_difference() -> None:
    frames = film(CUTS, 9.0, rate=60)
    rng = np.random.default_rng(3)
    kept = np.sort(rng.choice(len(frames.times_s), size=300, replace=False))
    thinned = FrameBatch(frames.times_s[kept], frames.luma[kept])
    first = [float(thinned.times_s[thinned.times_s >= cut - 1e-9][0]) for cut in CUTS]
    assert fingerprint_of(thinned).cuts_s.tolist() == first


def test_repeated_frames_are_no_cuts() -> None:
    slow = film(CUTS, 9.0, rate=10)
    repeated = FrameBatch(np.arange(270) / 30, slow.luma.repeat(3, axis=0))
    assert fingerprint_of(repeated).cuts_s.tolist() == pytest.approx(list(CUTS))


@pytest.mark.parametrize("length", [1, 3, 6])
@pytest.mark.parametrize("level", [255, 0])
def test_a_flash_is_no_cut(length: int, level: int) -> None:
    frames = film((), 4.0)
    frames.luma[50 : 50 + length] = level
    assert fingerprint_of(frames).cuts_s.size == 0


def test_a_flash_that_brightens_the_picture_is_no_cut() -> None:
    frames = film((), 4.0)
    frames.luma[50:53] = np.minimum(frames.luma[50:53].astype(int) * 2 + 60, 255)
    assert fingerprint_of(frames).cuts_s.size == 0


@pytest.mark.parametrize("length", [12, 25, 50])
def test_a_dissolve_gives_at_most_one_cut(length: int) -> None:
    times = np.arange(150, dtype=np.float64) / 25
    a, b = shot(1, times).astype(float), shot(2, times).astype(float)
    share = np.clip((np.arange(150) - 60) / length, 0, 1)[:, None, None]
    assert fingerprint_of(FrameBatch(times, (a * (1 - share) + b * share).astype(np.uint8))).cuts_s.size <= 1


@pytest.mark.parametrize("length", [12, 25, 50])
def test_a_fade_through_black_gives_at_most_one_cut(length: int) -> None:
    times = np.arange(200, dtype=np.float64) / 25
    gain = np.clip(np.abs(np.arange(200) - 100) / length, 0, 1)[:, None, None]
    luma = np.concatenate((shot(1, times[:100]), shot(2, times[100:]))) * gain
    assert fingerprint_of(FrameBatch(times, luma.astype(np.uint8))).cuts_s.size <= 1


def test_fast_motion_is_no_cut() -> None:
    times = np.arange(100, dtype=np.float64) / 25
    assert fingerprint_of(FrameBatch(times, shot(1, times, drift=20.0))).cuts_s.size == 0


def test_a_change_of_exposure_is_no_cut() -> None:
    frames = film((), 4.0)
    frames.luma[50:] = (frames.luma[50:] * 0.6 + 20).astype(np.uint8)
    assert fingerprint_of(frames).cuts_s.size == 0


def test_noise_on_black_is_no_cut() -> None:
    luma = np.random.default_rng(0).integers(0, 4, size=(100, 36, 64)).astype(np.uint8)
    assert fingerprint_of(FrameBatch(np.arange(100) / 25, luma)).cuts_s.size == 0


def test_a_cut_from_black_is_found() -> None:
    frames = film((2.0,), 4.0)
    frames.luma[:50] = 16
    assert fingerprint_of(frames).cuts_s.tolist() == [2.0]


def test_slides_seconds_apart_are_shots() -> None:
    times = np.arange(6, dtype=np.float64) * 2
    luma = np.concatenate([shot(k, times[:1]) for k in range(6)])
    assert fingerprint_of(FrameBatch(times, luma)).cuts_s.tolist() == times[1:].tolist()
