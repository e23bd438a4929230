"""Guesses at how two contents lie on each other: straight lines in the plane of their times.

Every pair of frames (or sounds, or cuts) that look more alike than these two contents usually do votes for
the lines through it; the lines with the most votes are handed to verification. A Hough transform over offset,
for each of a grid of speeds (Duda & Hart 1972; for copies: Douze, Jégou & Schmid, "An image-based approach to
video copy detection with spatio-temporal post-filtering", 2010).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.matching.guises import GUISES
from inspector.matching.hashes import distance
from inspector.model import Fingerprint, FloatArray, HashArray

#: Natural logarithm of odds, guessed.
PRICE_OF_SPEED: Final = 3.0
SAME_SPEED: Final = 0.004


class Line(NamedTuple):
    """b's time = speed · a's time + offset_s, where both are seen in `GUISES[guise]`."""

    speed: float
    offset_s: float
    guise: int = 0

    @property
    def price_nats(self) -> float:
        """Log odds against such a line: most copies keep their speed, and most show all of the picture."""
        price = PRICE_OF_SPEED if abs(self.speed - 1) > SAME_SPEED else 0.0
        return price + GUISES[self.guise].price_nats


class Votes(NamedTuple):
    """Points of the plane that speak for a line through them; (n,) each, times in seconds."""

    a_s: FloatArray
    b_s: FloatArray
    weight: FloatArray


#: Speeds tried: 1 first, then steps of 1 % between 3/4 and 4/3 (0.75 to 1.34).
SPEEDS: Final = tuple(sorted((1.01**k for k in range(-29, 30)), key=lambda speed: abs(speed - 1)))
#: A line at another speed than 1 needs this much more to be preferred: speed changes are rare.
OTHER_SPEED: Final = 0.85
BIN_S: Final = 0.2
#: Two lines closer than this in the middle of the shorter content are one.
APART_S: Final = 1.0
#: Long contents are searched in windows, because a slightly wrong speed leaves its bin after a minute.
WINDOW_S: Final = 60.0
LINES_PER_WINDOW: Final = 6
MOST_LINES: Final = 24

#: What takes part: the most novel frames, the weightiest sounds. Bounds the work for long contents.
MOST_ROWS: Final = 1500
MOST_COLUMNS: Final = 12000
MOST_VOTES: Final = 60000
MOST_CUTS: Final = 300
#: A frame pair votes if it is so many bits closer than its row and column are on average: two deviations.
LEAST_CONTRAST: Final = 9.0
#: A pair of moving pictures votes if it differs in no more bits; 1 in 300 unrelated pairs does.
MOST_MOTION_BITS: Final = 20
#: A sound pair votes if it differs in no more bits; 1 in 1000 unrelated pairs does.
MOST_SOUND_BITS: Final = 7
LEAST_SOUND_WEIGHT: Final = 0.15
#: A pair of cuts votes with this, and with one more for each bit the pictures at them are closer than
#: `ALIKE_BITS` (1 in 100 unrelated pairs is).
CUT_VOTE: Final = 4.0
ALIKE_BITS: Final = 22
#: Of so many of the most novel frames, so many, and such a share, must have a counterpart with fewer
#: different bits for a mirrored or turned picture to be looked into. Of real ones three quarters have, of
#: unrelated ones 98 in 100 fail.
COUNTERPART_ROWS: Final = 600
COUNTERPARTS: Final = 3
COUNTERPART_SHARE: Final = 0.015
COUNTERPART_BITS: Final = 16


def freshness(f: Fingerprint) -> NDArray[np.float32]:
    """How much of an independent observation each hashed frame is: (f,), 0..1.

    As much as its hash differs from the one before, for unrelated hashes differ in half of their bits; but no
    more than the pixels changed, because in a dull picture noise alone turns bits over.
    """
    turned = distance(f.frame_hashes, np.concatenate((f.frame_hashes[:1], f.frame_hashes[:-1])))
    return np.minimum(np.minimum(1, turned / 31), 5 * f.frame_novelty)


def motion_freshness(f: Fingerprint) -> NDArray[np.float32]:
    """The same for motion: as much as its hash differs from the one before; (f,), 0..1."""
    turned = distance(f.motion_hashes, np.concatenate((f.motion_hashes[:1], f.motion_hashes[:-1])))
    return np.minimum(1, turned / 31)


def propose_lines(a: Fingerprint, b: Fingerprint, sounds: Votes, guise: int) -> list[Line]:
    """The most promising lines, best first; always among them: both start together.

    a, b: in this guise.  sounds: what `sound_votes` says of a and b.
    """
    votes = _join(_frame_votes(a, b), _motion_votes(a, b), sounds, _cut_votes(a, b))
    starts = np.arange(0, max(a.duration_s - WINDOW_S / 2, 1e-3), WINDOW_S / 2)
    scored: list[tuple[float, Line]] = []
    for start in starts:
        inside = (votes.a_s >= start) & (votes.a_s < start + WINDOW_S)
        middle = min(start + WINDOW_S / 2, a.duration_s / 2) if len(starts) == 1 else start + WINDOW_S / 2
        scored += _peaks(Votes(*(x[inside] for x in votes)), middle, guise)
    scored.sort(key=lambda item: (-item[0], item[1]))
    lines = _distinct([line for _, line in scored], a.duration_s)
    return [*lines, Line(1.0, 0.0, guise)]


def look_alike(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether enough frames of a have a counterpart anywhere in b for it to lie in this way at all."""
    rows, columns = _most(a.frame_novelty, COUNTERPART_ROWS), _most(b.frame_novelty, MOST_COLUMNS)
    if not len(rows) or not len(columns):
        return False
    bits = np.bitwise_count(a.frame_hashes[rows][:, None] ^ b.frame_hashes[columns][None, :])
    alike = int((bits.min(axis=1) < COUNTERPART_BITS).sum())
    return alike >= max(COUNTERPARTS, COUNTERPART_SHARE * len(rows))


def _join(*parts: Votes) -> Votes:
    return Votes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _most(weight: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Indices of the `limit` greatest weights, ascending; of equals the earlier."""
    return np.sort(np.argsort(-weight, kind="stable")[:limit])


def _frame_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    rows, columns = _most(a.frame_novelty, MOST_ROWS), _most(b.frame_novelty, MOST_COLUMNS)
    contrast = _contrast(a.frame_hashes[rows], b.frame_hashes[columns])
    i, j = np.nonzero(contrast >= LEAST_CONTRAST)
    fresh = np.sqrt(freshness(a)[rows][i] * freshness(b)[columns][j])
    weight = (contrast[i, j] - LEAST_CONTRAST / 2) * (0.05 + fresh)
    return _strongest(Votes(a.frame_times_s[rows][i], b.frame_times_s[columns][j], weight.astype(np.float64)))


def _motion_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    fresh = [np.where(f.motion_hashes != 0, motion_freshness(f), 0).astype(np.float32) for f in (a, b)]
    rows, columns = (_most(x, most) for x, most in zip(fresh, (MOST_ROWS, MOST_COLUMNS), strict=True))
    rows, columns = rows[fresh[0][rows] > 0], columns[fresh[1][columns] > 0]
    bits = distance(a.motion_hashes[rows][:, None], b.motion_hashes[columns][None, :])
    i, j = np.nonzero(bits <= MOST_MOTION_BITS)
    weight = (MOST_MOTION_BITS + 2 - bits[i, j]) * np.sqrt(fresh[0][rows][i] * fresh[1][columns][j])
    return _strongest(Votes(a.frame_times_s[rows][i], b.frame_times_s[columns][j], weight.astype(np.float64)))


def _contrast(a: HashArray, b: HashArray) -> NDArray[np.float32]:
    """How many bits closer each pair is than its row and column make one expect: (len(a), len(b))."""
    bits = distance(a[:, None], b[None, :])
    if not bits.size:
        return bits
    usual = bits.mean(axis=1, keepdims=True) + bits.mean(axis=0, keepdims=True) - bits.mean()
    return np.asarray(usual - bits, dtype=np.float32)


def sound_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    rows, columns = (
        indices[f.sound_weight[indices] >= LEAST_SOUND_WEIGHT]
        for f, indices in ((a, _most(a.sound_weight, MOST_ROWS)), (b, _most(b.sound_weight, MOST_COLUMNS)))
    )
    bits = distance(a.sound_hashes[rows][:, None], b.sound_hashes[columns][None, :])
    i, j = np.nonzero(bits <= MOST_SOUND_BITS)
    weight = (MOST_SOUND_BITS + 2 - bits[i, j]) * np.minimum(
        a.sound_weight[rows][i], b.sound_weight[columns][j]
    )
    return _strongest(Votes(a.sound_times_s[rows][i], b.sound_times_s[columns][j], weight.astype(np.float64)))


def _cut_votes(a: Fingerprint, b: Fingerprint) -> Votes:
    """Every cut of a with every cut of b: little by itself, much if the pictures before and after are
    alike.
    """
    rows, columns = a.cuts_s[:MOST_CUTS], b.cuts_s[:MOST_CUTS]
    weight = np.full((len(rows), len(columns)), CUT_VOTE)
    for after in (False, True):
        mine, theirs = _at_cuts(a, rows, after=after), _at_cuts(b, columns, after=after)
        weight += np.maximum(ALIKE_BITS - distance(mine[:, None], theirs[None, :]), 0)
    i, j = np.indices(weight.shape).reshape(2, -1)
    return Votes(rows[i], columns[j], weight.ravel())


def _at_cuts(f: Fingerprint, cuts_s: FloatArray, *, after: bool) -> HashArray:
    """The hash of the first hashed frame after each cut, or of the last one before."""
    if not len(f.frame_hashes):
        return np.zeros(len(cuts_s), np.uint64)
    at = np.searchsorted(f.frame_times_s, cuts_s) - (not after)
    return f.frame_hashes[np.clip(at, 0, len(f.frame_hashes) - 1)]


def _strongest(votes: Votes) -> Votes:
    if len(votes.weight) <= MOST_VOTES:
        return votes
    kept = _most(votes.weight.astype(np.float32), MOST_VOTES)
    return Votes(*(x[kept] for x in votes))


def _peaks(votes: Votes, middle_s: float, guise: int) -> list[tuple[float, Line]]:
    """The strongest lines of one window, with their votes. Offsets are measured at the window's middle, so
    that a slightly wrong speed hardly moves them."""
    if not len(votes.weight):
        return []
    vote, speed, at = _fullest(votes, middle_s)
    kept: list[tuple[float, Line]] = []
    left = vote > 0
    for k in np.lexsort((at, speed, -vote)):
        if left[k]:
            kept.append((float(vote[k]), Line(float(speed[k]), float(at[k] - speed[k] * middle_s), guise)))
            left &= np.abs(at - at[k]) >= APART_S
        if len(kept) == LINES_PER_WINDOW:
            break
    return kept


def _fullest(votes: Votes, middle_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(votes, speed, b's time at a's `middle_s`) of the fullest pairs of neighbouring bins at each speed."""
    speeds = np.array(SPEEDS)[:, None]
    shift = votes.b_s - speeds * (votes.a_s - middle_s)
    bins = ((shift - shift.min(axis=1, keepdims=True)) / BIN_S).astype(np.intp)
    width = int(bins.max()) + 2
    place = (bins + np.arange(len(speeds))[:, None] * width).ravel()
    weight = np.broadcast_to(votes.weight, shift.shape)
    sums, moments = (_pairwise(place, w, len(speeds), width) for w in (weight, weight * shift))
    most = min(2 * LINES_PER_WINDOW, width)
    best = np.argpartition(-sums, most - 1, axis=1)[:, :most]
    sums, moments = (np.take_along_axis(x, best, axis=1) for x in (sums, moments))
    at = moments / np.maximum(sums, 1e-12)
    worth = np.where(speeds == 1.0, 1.0, OTHER_SPEED)
    return (sums * worth).ravel(), np.broadcast_to(speeds, sums.shape).ravel(), at.ravel()


def _pairwise(place: NDArray[np.intp], weight: FloatArray, rows: int, width: int) -> FloatArray:
    """Sums of the weights in each bin and the one before: (rows, width)."""
    filled = np.bincount(place, weights=weight.ravel(), minlength=rows * width)
    sums: FloatArray = filled.astype(np.float64).reshape(rows, width)
    sums[:, 1:] += sums[:, :-1].copy()
    return sums


def _distinct(lines: list[Line], duration_s: float) -> list[Line]:
    """Lines of several windows that are the same up to the grid, once; at most `MOST_LINES`."""
    if not lines:
        return []
    speed, offset_s = (np.array(column) for column in list(zip(*lines, strict=True))[:2])
    ends = speed[:, None] * np.array([0.0, duration_s]) + offset_s[:, None]
    left = np.ones(len(lines), dtype=np.bool_)
    kept: list[Line] = []
    for k, line in enumerate(lines):
        if left[k]:
            kept.append(line)
            left &= np.abs(ends - ends[k]).max(axis=1) >= APART_S
        if len(kept) == MOST_LINES:
            break
    return kept
