"""Sounds are recognised after edits; silence and steady noise say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inspector.fingerprint.sound import HOP, SoundHasher
from inspector.model import SOUND_RATE_HZ, FloatArray, SoundArray
from tests.unit.fingerprint.pictures import melody, noise

SECONDS = 20


def hashed(samples: NDArray[np.int16]) -> tuple[FloatArray, SoundArray, NDArray[np.float32]]:
    hasher = SoundHasher()
    hasher.add(samples)
    return hasher.finish()


def bits_apart(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    here, there = hashed(a)[1], hashed(b)[1]
    count = min(len(here), len(there))
    return float(np.bitwise_count(here[:count] ^ there[:count]).mean())


def hum() -> NDArray[np.int16]:
    t = np.arange(SECONDS * SOUND_RATE_HZ) / SOUND_RATE_HZ
    return (8000 * np.sin(2 * np.pi * 120 * t)).astype(np.int16)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(SECONDS * SOUND_RATE_HZ, np.int16),
        noise(SECONDS, loudness=2),
        noise(SECONDS, loudness=300),
        noise(SECONDS, loudness=9000),
        hum(),
    ],
    ids=["silence", "hiss", "soft noise", "loud noise", "hum"],
)
def test_steady_sound_says_nothing(samples: NDArray[np.int16]) -> None:
    assert hashed(samples)[2].mean() < 0.02


def test_a_melody_says_much() -> None:
    assert hashed(melody(SECONDS))[2].mean() > 0.5


def test_loudness_does_not_matter() -> None:
    assert bits_apart(melody(SECONDS), (melody(SECONDS) * 0.3).astype(np.int16)) < 2


def test_noise_behind_the_sound_is_survived() -> None:
    assert bits_apart(melody(SECONDS), (melody(SECONDS) + noise(SECONDS, loudness=200)).astype(np.int16)) < 6


def test_moments_between_the_moments_look_alike() -> None:
    assert bits_apart(melody(SECONDS), melody(SECONDS)[HOP // 2 :]) < 8


def test_other_sound_differs_in_half_of_the_bits() -> None:
    assert 14 < bits_apart(melody(SECONDS, seed=1), melody(SECONDS, seed=2)) < 18


def test_times_are_the_middle_of_what_was_heard() -> None:
    samples = np.concatenate((np.zeros(10 * SOUND_RATE_HZ, np.int16), melody(10.0)))
    times, _, weight = hashed(samples)
    assert abs(float(times[weight > 0.2][0]) - 10.0) < 0.6


def test_too_little_sound_makes_no_hash() -> None:
    assert hashed(melody(0.3))[1].size == 0
