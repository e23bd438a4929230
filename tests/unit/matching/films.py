"""Fingerprints made up of shots, and copies of them edited in known ways; no pixel is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.matching.hashes import vary
from inspector.model import Fingerprint, FloatArray, HashArray, View

STEP_S = 0.2
SOUND_STEP_S = 0.12


def make_film(seed: int, duration_s: float = 60.0, *, shot_s: float = 4.0, sound: bool = True) -> Fingerprint:
    """Shots of random length, each its own picture that changes slowly; sound that never repeats."""
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(0.3 * shot_s, 1.7 * shot_s, size=int(4 * duration_s / shot_s) + 4)
    cuts: FloatArray = np.round(np.cumsum(lengths), 2).astype(np.float64)
    cuts = cuts[cuts < duration_s - 0.5]
    times = grid(duration_s, STEP_S) + 0.1
    shots = np.searchsorted(cuts, times, side="right")
    first = np.diff(shots, prepend=0) > 0
    turned = np.where(first, 0, turned_bits(rng, len(times), 2)).astype(np.uint64)
    pictures = rng.integers(0, 2**63, size=len(cuts) + 1, dtype=np.uint64) << np.uint64(1)
    hashes = pictures[shots] ^ np.bitwise_xor.accumulate(turned)
    sounds = round(duration_s / SOUND_STEP_S) if sound else 0
    return Fingerprint(
        duration_s=duration_s,
        cuts_s=cuts,
        frame_times_s=times,
        frame_hashes=hashes,
        frame_novelty=np.where(first, 0.9, 0.05).astype(np.float32),
        motion_hashes=np.zeros(len(times), np.uint64),
        sound_times_s=grid(duration_s, SOUND_STEP_S)[:sounds] + 0.5,
        sound_hashes=rng.integers(0, 2**32, size=sounds, dtype=np.uint32),
        sound_weight=np.full(sounds, 0.6, np.float32),
    )


def make_still(seed: int, duration_s: float = 30.0, *, picture: int | None = None) -> Fingerprint:
    """One picture throughout, with a bit of noise, and silence. `picture`: its hash."""
    rng = np.random.default_rng(seed)
    count = round(duration_s / STEP_S)
    shown = np.uint64(picture if picture is not None else rng.integers(0, 2**63) << 1)
    return Fingerprint(
        duration_s=duration_s,
        cuts_s=np.zeros(0),
        frame_times_s=grid(duration_s, STEP_S),
        frame_hashes=np.full(count, shown)
        ^ (turned_bits(rng, count, 1) if picture is None else np.uint64(0)),
        frame_novelty=np.full(count, 0.0005, np.float32),
        motion_hashes=np.zeros(count, np.uint64),
        sound_times_s=grid(duration_s, SOUND_STEP_S),
        sound_hashes=np.zeros(round(duration_s / SOUND_STEP_S), np.uint32),
        sound_weight=np.zeros(round(duration_s / SOUND_STEP_S), np.float32),
    )


def grid(duration_s: float, step_s: float) -> FloatArray:
    return np.arange(round(duration_s / step_s), dtype=np.float64) * step_s


def turned_bits(rng: np.random.Generator, count: int, most: int) -> HashArray:
    """(count,): masks with up to `most` bits set, never the lowest."""
    positions = rng.integers(1, 64, size=(count, most)).astype(np.uint64)
    return np.asarray(np.bitwise_or.reduce(np.uint64(1) << positions, axis=1), dtype=np.uint64)


def cut_out(f: Fingerprint, start_s: float, end_s: float, *, at_s: float = 0.0) -> Fingerprint:
    """The stretch [start_s, end_s) alone, beginning at `at_s`."""
    shift = at_s - start_s

    def inside(times: FloatArray) -> NDArray[np.bool_]:
        return (times >= start_s) & (times < end_s)

    cuts = f.cuts_s[(f.cuts_s > start_s) & (f.cuts_s < end_s)]
    frames, sounds = inside(f.frame_times_s), inside(f.sound_times_s)
    return replace(
        f,
        duration_s=end_s - start_s + at_s,
        cuts_s=cuts + shift,
        frame_times_s=f.frame_times_s[frames] + shift,
        frame_hashes=f.frame_hashes[frames],
        frame_novelty=f.frame_novelty[frames],
        motion_hashes=f.motion_hashes[frames],
        sound_times_s=f.sound_times_s[sounds] + shift,
        sound_hashes=f.sound_hashes[sounds],
        sound_weight=f.sound_weight[sounds],
    )


def splice(*parts: Fingerprint) -> Fingerprint:
    """One after the other, with a cut between each two."""
    end_s = 0.0
    columns: dict[str, list[Any]] = {name: [] for name in Fingerprint.__slots__ if name not in _SCALARS}
    for part in parts:
        if end_s:
            columns["cuts_s"].append(np.array([end_s]))
        for name, column in columns.items():
            values = getattr(part, name)
            column.append(values + end_s if name.endswith("_s") else values)
        end_s += part.duration_s
    arrays: dict[str, Any] = {name: np.concatenate(column) for name, column in columns.items()}
    return Fingerprint(duration_s=end_s, **arrays)


_SCALARS = ("duration_s", "truncated", "algorithm", "view_frames", "view_kinds", "view_hashes", "view_motion")


def retimed(f: Fingerprint, speed: float) -> Fingerprint:
    """Played `speed` times as fast."""
    return replace(
        f,
        duration_s=f.duration_s / speed,
        cuts_s=f.cuts_s / speed,
        frame_times_s=f.frame_times_s / speed,
        sound_times_s=f.sound_times_s / speed,
    )


def damaged(f: Fingerprint, seed: int, *, bits: int) -> Fingerprint:
    """Re-encoded: up to `bits` bits turned over in every hash of picture, half as many in those of sound."""
    rng = np.random.default_rng(seed)
    return replace(
        f,
        frame_hashes=f.frame_hashes ^ turned_bits(rng, len(f.frame_hashes), bits),
        sound_hashes=f.sound_hashes
        ^ (turned_bits(rng, len(f.sound_hashes), max(bits // 2, 1)) >> np.uint64(32)).astype(np.uint32),
    )


def mirrored(f: Fingerprint) -> Fingerprint:
    return replace(f, frame_hashes=vary(f.frame_hashes, 1))


def with_view(f: Fingerprint, shown: Fingerprint, view: View, *, every: int = 1) -> Fingerprint:
    """`f` with one of its parts, at every so many frames, looking like `shown`, which is as long."""
    frames = np.arange(0, len(f.frame_hashes), every, dtype=np.int32)
    return replace(
        f,
        view_frames=frames,
        view_kinds=np.full(len(frames), view, np.uint8),
        view_hashes=shown.frame_hashes[frames],
        view_motion=shown.motion_hashes[frames],
    )


def without_cuts(f: Fingerprint, seed: int, *, share: float) -> Fingerprint:
    """Some cuts were not found."""
    kept = np.random.default_rng(seed).random(len(f.cuts_s)) >= share
    return replace(f, cuts_s=f.cuts_s[kept])


def mute(f: Fingerprint) -> Fingerprint:
    return replace(
        f,
        sound_times_s=f.sound_times_s[:0],
        sound_hashes=f.sound_hashes[:0],
        sound_weight=f.sound_weight[:0],
    )
