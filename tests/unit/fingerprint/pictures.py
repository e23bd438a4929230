"""Small frames and sounds made of random waves: every shot its own picture, drifting as if a camera moved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inspector.fingerprint import Fingerprinter
from inspector.model import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    SOUND_RATE_HZ,
    ByteArray,
    Fingerprint,
    FloatArray,
    FrameBatch,
)


def shot(seed: int, times_s: FloatArray, *, drift: float = 1.0) -> ByteArray:
    """(n, 36, 64): a random picture that moves with time; drift 0 is a still."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : FRAME_HEIGHT / FRAME_WIDTH : FRAME_HEIGHT * 1j, 0 : 1 : FRAME_WIDTH * 1j]
    picture = np.zeros((len(times_s), FRAME_HEIGHT, FRAME_WIDTH))
    for _ in range(12):
        fy, fx, phase, speed = rng.normal(0, 2), rng.normal(0, 2), rng.uniform(0, 6.3), rng.normal(0, 0.5)
        moment = (phase + drift * speed * times_s)[:, None, None]
        picture += np.sin(2 * np.pi * (fy * y + fx * x) + moment)
    return np.clip(128 + 22 * picture, 0, 255).astype(np.uint8)


def film(cuts_s: Sequence[float], end_s: float, *, rate: float = 25.0, seed: int = 0) -> FrameBatch:
    """A shot between each two cuts, at a fixed frame rate."""
    times = np.arange(round(end_s * rate)) / rate
    borders = [0.0, *cuts_s, end_s]
    luma = np.zeros((len(times), FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
    for number, (start, end) in enumerate(pairwise(borders)):
        inside = (times >= start - 1e-9) & (times < end - 1e-9)
        luma[inside] = shot(1000 * seed + number, times[inside])
    return FrameBatch(times, luma)


def stretched(luma: ByteArray, rows: int, columns: int) -> ByteArray:
    """The same pictures, (n, rows, columns); each pixel the mean of what it covers."""
    resized = _covering(luma.shape[1], rows) @ luma @ _covering(luma.shape[2], columns).T
    return np.rint(resized).astype(np.uint8)


def _covering(length: int, parts: int) -> NDArray[np.float64]:
    """(parts, length): the share of each part that each pixel makes up."""
    edges = np.linspace(0, length, parts + 1)
    ends = np.minimum(edges[1:, None], np.arange(1, length + 1))
    covered = ends - np.maximum(edges[:-1, None], np.arange(length))
    return np.asarray(np.clip(covered, 0, None) * parts / length, dtype=np.float64)


def melody(seconds: float, *, seed: int = 0) -> NDArray[np.int16]:
    """Tones with overtones that change every fifth of a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    notes = rng.uniform(200, 1200, size=(int(seconds * 5) + 1, 3))
    pitch = notes[(t * 5).astype(int)]
    wave = sum(np.sin(2 * np.pi * t * pitch[:, k] * h) / h for k in range(3) for h in (1, 2, 3))
    return np.asarray(2500 * wave, dtype=np.int16)


def noise(seconds: float, *, loudness: float = 3000.0, seed: int = 0) -> NDArray[np.int16]:
    samples = np.random.default_rng(seed).normal(0, loudness, int(seconds * SOUND_RATE_HZ))
    return np.clip(samples, -32768, 32767).astype(np.int16)


def fingerprint_of(
    frames: FrameBatch,
    sound: NDArray[np.int16] | None = None,
    *,
    batches: Sequence[int] = (),
    aspect: float = 16 / 9,
) -> Fingerprint:
    """Everything through a Fingerprinter, sliced after `batches` frames (and as many thousand samples)."""
    fingerprinter = Fingerprinter(aspect)
    for times, luma in zip(np.split(frames.times_s, batches), np.split(frames.luma, batches), strict=True):
        fingerprinter.add_frames(FrameBatch(times, luma))
    if sound is not None:
        for samples in np.split(sound, [1000 * b + 7 for b in batches]):
            fingerprinter.add_sound(samples)
    end_s = float(frames.times_s[-1]) if len(frames.times_s) else 0.0
    return fingerprinter.finish(end_s, truncated=False)
