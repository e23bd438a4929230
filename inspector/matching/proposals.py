"""Guesses at how two contents lie on each other: the lines that most votes agree on.

A Hough transform over offset, for each of a grid of speeds (Duda & Hart 1972; for copies: Douze, Jégou &
Schmid, "An image-based approach to video copy detection with spatio-temporal post-filtering", 2010): on a
coarse grid first, then on a fine one around the fullest places.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.matching.lines import Line
from inspector.matching.votes import Votes, counterpart_votes
from inspector.model import Fingerprint, FloatArray

#: Speeds tried: powers of 1.01 between 3/4 and 4/3; on the coarse grid every fourth.
SPEED_STEP: Final = 1.01
COARSE_POWERS: Final = np.arange(-28, 29, 4)
FINE_POWERS: Final = np.arange(-3, 4)
#: A line at another speed than 1 needs this much more to be preferred: speed changes are rare.
OTHER_SPEED: Final = 0.85
#: Bins of offset. At the end of a window, half of it from the middle, a speed 2 % off is off by 0.6 s.
COARSE_BIN_S: Final = 0.6
BIN_S: Final = 0.2
NEAR_S: Final = 1.5
#: Two lines closer than this in the middle of the shorter content are one.
APART_S: Final = 1.0
#: Long contents are searched in windows, because a slightly wrong speed leaves its bin after a minute.
WINDOW_S: Final = 60.0
LINES_PER_WINDOW: Final = 6
MOST_LINES: Final = 24
#: A guise is looked into if as much freshness as this many unrelated frames have agrees on one line: of real
#: ones all but stills have twice as much or more, of unrelated five minutes 9 in 10 have less ...
LEAST_AGREEMENT: Final = 2.0
#: ... or if such a share of the frames, of stills mostly, have a counterpart anywhere.
COUNTERPART_SHARE: Final = 0.5


def propose_lines(votes: Votes, duration_s: float, guise: int) -> list[Line]:
    """The most promising lines, best first; always among them: both start together.

    duration_s: of the content that the votes call a.
    """
    scored = [
        (vote, Line(speed, at - speed * middle, guise))
        for middle, inside in _windows(votes, duration_s)
        for vote, speed, at in _peaks(inside, middle)
    ]
    scored.sort(key=lambda item: (-item[0], item[1]))
    lines = _distinct([line for _, line in scored], duration_s)
    return [*lines, Line(1.0, 0.0, guise)]


def look_alike(a: Fingerprint, b: Fingerprint) -> bool:
    """Whether enough frames of a have a counterpart on some line in b for b to be shown in this guise."""
    votes, share = counterpart_votes(a, b)
    if share >= COUNTERPART_SHARE:
        return True
    for middle, inside in _windows(votes, a.duration_s):
        if len(inside.weight) and _coarse(inside, middle)[0].max() >= LEAST_AGREEMENT:
            return True
    return False


def _windows(votes: Votes, duration_s: float) -> Iterator[tuple[float, Votes]]:
    """The votes in overlapping windows of a's time, and the middle of each."""
    starts = np.arange(0, max(duration_s - WINDOW_S / 2, 1e-3), WINDOW_S / 2).tolist()
    for start in starts:
        middle = start + WINDOW_S / 2
        yield (
            min(middle, duration_s / 2) if len(starts) == 1 else middle,
            votes.between(start, start + WINDOW_S),
        )


Peak = tuple[float, float, float]  # votes, speed, b's time at the middle of the window


def _peaks(votes: Votes, middle_s: float) -> list[Peak]:
    """The strongest lines of one window. Offsets are measured at its middle, so that a slightly wrong speed
    hardly moves them.
    """
    if not len(votes.weight):
        return []
    filled, power, at = _coarse(votes, middle_s)
    rough = _apart(filled * _worth(power), power, at, LINES_PER_WINDOW)
    return [_refined(votes, middle_s, int(power[k]), float(at[k])) for k in rough]


def _coarse(votes: Votes, middle_s: float) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
    """The fullest places of the coarse grid, as `_fullest` gives them."""
    return _fullest(votes, middle_s, COARSE_POWERS, COARSE_BIN_S, 2 * LINES_PER_WINDOW)


def _refined(votes: Votes, middle_s: float, power: int, at_s: float) -> Peak:
    """The fullest place of the fine grid near a coarse one."""
    close = votes.only(np.abs(_shift(votes, middle_s, power) - at_s) <= NEAR_S)
    filled, powers, at = _fullest(close, middle_s, power + FINE_POWERS, BIN_S, 1)
    worth = filled * _worth(powers)
    best = int(np.lexsort((at, np.abs(powers), -worth))[0])
    shift = _shift(close, middle_s, int(powers[best]))
    weight = close.weight * (np.abs(shift - at[best]) <= BIN_S)
    exact = float(weight @ shift / max(weight.sum(), 1e-9))
    return float(worth[best]), float(SPEED_STEP ** int(powers[best])), exact


def _shift(votes: Votes, middle_s: float, power: int) -> FloatArray:
    """b's time at a's `middle_s` on the line of this speed through each vote."""
    return np.asarray(votes.b_s - SPEED_STEP**power * (votes.a_s - middle_s), dtype=np.float64)


def _worth(powers: NDArray[np.intp]) -> FloatArray:
    return np.where(powers == 0, 1.0, OTHER_SPEED)


def _fullest(
    votes: Votes, middle_s: float, powers: NDArray[np.intp], bin_s: float, most: int
) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
    """(votes, power of `SPEED_STEP`, b's time at a's `middle_s`) of the fullest pairs of neighbouring bins,
    so many at each speed; (n,) each.
    """
    shift = votes.b_s - (SPEED_STEP**powers)[:, None] * (votes.a_s - middle_s)
    lowest = float(shift.min())
    bins = ((shift - lowest) / bin_s).astype(np.int32)
    width = int(bins.max()) + 2
    bins += (np.arange(len(powers), dtype=np.int32) * width)[:, None]
    weight = np.broadcast_to(votes.weight, shift.shape).ravel()
    filled = np.bincount(bins.ravel(), weights=weight, minlength=len(powers) * width)
    sums = filled.astype(np.float64).reshape(len(powers), width)
    sums[:, 1:] += sums[:, :-1].copy()
    best = np.argpartition(-sums, min(most, width) - 1, axis=1)[:, : min(most, width)]
    fullest = np.take_along_axis(sums, best, axis=1)
    at = np.asarray(best.ravel() * bin_s + lowest, dtype=np.float64)
    return fullest.ravel(), np.repeat(powers, best.shape[1]), at


def _apart(worth: FloatArray, power: NDArray[np.intp], at: FloatArray, most: int) -> list[int]:
    """Indices of the best places of which no two are close, best first."""
    left = worth > 0
    kept: list[int] = []
    for k in np.lexsort((at, power, -worth)):
        if left[k]:
            kept.append(int(k))
            left &= np.abs(at - at[k]) >= APART_S
        if len(kept) == most:
            break
    return kept


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
