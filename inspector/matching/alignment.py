"""Two contents seen along one line: what lies on what, how alike it is, and where the agreement begins and
ends. Both contents are given in the line's guise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.matching.hashes import distance
from inspector.matching.likelihood import FloatMatrix
from inspector.matching.lines import Line
from inspector.model import Fingerprint, FloatArray

#: Hashed frames and sounds farther apart than this do not lie on each other.
FRAME_REACH_S: Final = 0.16
SOUND_REACH_S: Final = 0.07
#: Chance is measured off the line, at least so far away ...
OFF_LINE_S: Final = 2.0
#: ... at so many places of each content.
PLACES: Final = 32
#: Repetitions are looked for this far away (sub-fingerprints of 0.12 s: from 0.8 to 24 s).
LEAST_REPEAT: Final = 7
MOST_REPEAT: Final = 200
#: Sub-fingerprints with fewer different bits agree; at the best of many places half as many as on the line do
#: so by chance or because music is music.
ALIKE_SOUND_BITS: Final = 10
CHANCE_AGREEMENT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Aligned:
    """Items of a that have a partner in b on the line; (n,) each.

    a, b: their indices.  a_s, b_s: their times.  bits: distances.
    """

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    a_s: FloatArray
    b_s: FloatArray
    bits: FloatMatrix

    def only(self, chosen: NDArray[np.bool_] | slice) -> Aligned:
        """The chosen ones."""
        return Aligned(self.a[chosen], self.b[chosen], self.a_s[chosen], self.b_s[chosen], self.bits[chosen])


def align_frames(a: Fingerprint, b: Fingerprint, line: Line) -> Aligned:
    """Hashed frames that lie on each other."""
    i, j = _partners(a.frame_times_s, b.frame_times_s, line, FRAME_REACH_S)
    bits = distance(a.frame_hashes[i], b.frame_hashes[j])
    return Aligned(i, j, a.frame_times_s[i], b.frame_times_s[j], bits)


def align_motion(a: Fingerprint, b: Fingerprint, frames: Aligned) -> Aligned:
    """Those of the aligned frames in which something moves on both sides, by what moves."""
    mine, theirs = a.motion_hashes[frames.a], b.motion_hashes[frames.b]
    moving = (mine != 0) & (theirs != 0)
    return replace(frames, bits=distance(mine, theirs)).only(moving)


def align_sounds(a: Fingerprint, b: Fingerprint, line: Line) -> Aligned:
    """Sub-fingerprints that lie on each other."""
    i, j = _partners(a.sound_times_s, b.sound_times_s, line, SOUND_REACH_S)
    bits = distance(a.sound_hashes[i], b.sound_hashes[j])
    return Aligned(i, j, a.sound_times_s[i], b.sound_times_s[j], bits)


def _partners(
    a_s: FloatArray, b_s: FloatArray, line: Line, reach_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each of a's times the nearest of b's, if it is near enough."""
    if not len(a_s) or not len(b_s):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    there = line.speed * a_s + line.offset_s
    right = np.clip(np.searchsorted(b_s, there), 1, max(len(b_s) - 1, 1))
    right = np.minimum(right, len(b_s) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(there - b_s[left] <= b_s[right] - there, left, right)
    i = np.flatnonzero(np.abs(b_s[nearest] - there) <= reach_s)
    return i, nearest[i]


def frame_chance(a: Fingerprint, b: Fingerprint, aligned: Aligned) -> FloatMatrix:
    """Distances of the aligned frames to frames elsewhere: (n, 2·PLACES), NaN near the line."""
    return _chance(aligned, a.frame_times_s, a.frame_hashes, b.frame_times_s, b.frame_hashes)


def motion_chance(a: Fingerprint, b: Fingerprint, aligned: Aligned) -> FloatMatrix:
    """The same for what moves."""
    return _chance(aligned, a.frame_times_s, a.motion_hashes, b.frame_times_s, b.motion_hashes)


def sound_chance(a: Fingerprint, b: Fingerprint, aligned: Aligned) -> FloatMatrix:
    """The same for sounds."""
    return _chance(aligned, a.sound_times_s, a.sound_hashes, b.sound_times_s, b.sound_hashes)


def _chance(
    aligned: Aligned,
    a_s: FloatArray,
    a_hashes: NDArray[np.unsignedinteger],
    b_s: FloatArray,
    b_hashes: NDArray[np.unsignedinteger],
) -> FloatMatrix:
    sides = []
    for mine, theirs_s, theirs, here_s in (
        (a_hashes[aligned.a], b_s, b_hashes, aligned.b_s),
        (b_hashes[aligned.b], a_s, a_hashes, aligned.a_s),
    ):
        places = np.unique(np.linspace(0, max(len(theirs) - 1, 0), PLACES).astype(np.intp))[: len(theirs)]
        bits = distance(mine[:, None], theirs[places][None, :])
        bits[np.abs(theirs_s[places][None, :] - here_s[:, None]) < OFF_LINE_S] = np.nan
        sides.append(bits)
    return np.concatenate(sides, axis=1)


def repetition(a: Fingerprint, b: Fingerprint, aligned: Aligned, here: NDArray[np.bool_]) -> float:
    """How well the sounds of a stretch also agree with b a little earlier or later: 0 not at all, 1 as well.

    here: which of the aligned sounds belong to the stretch.  A beat, a ring tone or a loop agrees with itself
    again and again, and then the agreement says nothing about where.
    """
    i, j = aligned.a[here], aligned.b[here]
    mine = a.sound_hashes[i]
    weight = np.minimum(a.sound_weight[i], b.sound_weight[j])
    apart = np.arange(LEAST_REPEAT, MOST_REPEAT)
    total, agreeing = np.zeros((2, 2 * len(apart)), np.float32)
    for k, step in enumerate(np.concatenate((-apart[::-1], apart)).tolist()):
        other = j + step
        inside = (other >= 0) & (other < len(b.sound_hashes))
        bits = distance(mine, b.sound_hashes[np.where(inside, other, 0)])
        total[k] = inside @ weight
        agreeing[k] = ((bits < ALIKE_SOUND_BITS) & inside) @ weight
    agreeing /= np.maximum(total, 1e-9)
    again = agreeing[total >= weight.sum() / 2].max(initial=0.0)
    now = float(weight @ (aligned.bits[here] < ALIKE_SOUND_BITS)) / max(float(weight.sum()), 1e-9)
    return float(np.clip((again / max(now, 1e-9) - CHANCE_AGREEMENT) / (1 - CHANCE_AGREEMENT), 0, 1))


def match_cuts(
    a: FloatArray, b: FloatArray, *, tolerance_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair cuts of two ascending sequences on the same clock, each used once. Returns indices into both.

    Source: greedy matching of sorted sequences; optimal for a symmetric tolerance.
    """
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if abs(a[i] - b[j]) <= tolerance_s:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    array = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def find_runs(times_s: FloatArray, values: FloatArray, *, drop: float, least: float) -> list[tuple[int, int]]:
    """Stretches whose values add up high, ends trimmed: (first, last) indices.

    A stretch ends where its sum has fallen by `drop` below its best, or where no value stood for `drop`
    seconds; stretches that add up to less than `least` are left out.
    Source: the X-drop extension of BLAST (Altschul et al. 1990).
    """
    sums = np.concatenate(([0.0], np.cumsum(values)))
    if (sums - np.minimum.accumulate(sums)).max() < least:  # no stretch at all adds up to so much
        return []
    gaps = np.flatnonzero(np.diff(times_s) > drop) + 1
    after_gap = set(gaps.tolist())
    runs: list[tuple[int, int]] = []
    start = best_at = 0
    total = best = 0.0
    for k, value in enumerate(values.tolist()):
        if total <= 0 or best - total > drop or k in after_gap:
            if best >= least:
                runs.append((start, best_at))
            start, total, best = k, 0.0, 0.0
        total += value
        if total > best:
            best, best_at = total, k
    if best >= least:
        runs.append((start, best_at))
    return runs
