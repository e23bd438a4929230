"""A line, moved until the two contents lie on each other as well as they can."""

from __future__ import annotations

from typing import Final

import numpy as np

from inspector.matching.alignment import align_frames, match_cuts
from inspector.matching.lines import SAME_SPEED, Line
from inspector.matching.votes import freshness
from inspector.model import Fingerprint, FloatArray

#: Offsets (s) and speeds tried around the line; the proposals' grid is 0.2 s and 1 % wide.
SHIFTS_S: Final = tuple(0.05 * k for k in range(-6, 7))
STRETCHINGS: Final = tuple(1 + 0.002 * k for k in range(-3, 4))
#: Still frames count a little, so that a still picture too has a best place.
LEAST_FRESH: Final = 0.02
#: Cuts this close belong together before the line is exact; with so many of them, so far apart, they also say
#: the speed.
CUT_REACH_S: Final = 0.15
SPEED_CUTS: Final = 3
SPEED_SPAN_S: Final = 8.0


def refine_line(a: Fingerprint, b: Fingerprint, line: Line, start_s: float, end_s: float) -> Line:
    """The best line near `line` for a's times [start_s, end_s]: by frames first, then exactly by cuts."""
    middle = (start_s + end_s) / 2
    tried = [_moved(line, middle, shift, speed) for speed in STRETCHINGS for shift in SHIFTS_S]
    best = min(
        tried, key=lambda each: (_disagreement(a, b, each, start_s, end_s), _distance(each, line, middle))
    )
    return _fitted_to_cuts(a, b, best, start_s, end_s)


def _moved(line: Line, pivot_s: float, shift_s: float, stretching: float) -> Line:
    """The line shifted, and made steeper around the pivot; nearly unchanged speed becomes unchanged."""
    speed = line.speed * stretching
    if abs(speed - 1) <= SAME_SPEED / 4:
        speed = 1.0
    at_pivot = line.speed * pivot_s + line.offset_s + shift_s
    return Line(speed, at_pivot - speed * pivot_s, line.guise)


def _distance(line: Line, other: Line, pivot_s: float) -> float:
    here, there = (each.speed * pivot_s + each.offset_s for each in (line, other))
    return round(abs(here - there) + abs(line.speed - 1), 6)


def _disagreement(a: Fingerprint, b: Fingerprint, line: Line, start_s: float, end_s: float) -> float:
    """Mean distance of the frames on the line, fresh ones first of all."""
    aligned = align_frames(a, b, line)
    here = (aligned.a_s >= start_s) & (aligned.a_s <= end_s)
    if not here.any():
        return float("inf")
    weight = freshness(a)[aligned.a[here]] + freshness(b)[aligned.b[here]] + LEAST_FRESH
    return round(float((aligned.bits[here] * weight).sum() / weight.sum()), 4)


def _fitted_to_cuts(a: Fingerprint, b: Fingerprint, line: Line, start_s: float, end_s: float) -> Line:
    mine = a.cuts_s[(a.cuts_s >= start_s - CUT_REACH_S) & (a.cuts_s <= end_s + CUT_REACH_S)]
    i, j = match_cuts(line.speed * mine + line.offset_s, b.cuts_s, tolerance_s=CUT_REACH_S)
    if not len(i):
        return line
    here, there = mine[i], b.cuts_s[j]
    speed = _speed_of_cuts(here, there, line.speed)
    return Line(speed, float(np.median(there - speed * here)), line.guise)


def _speed_of_cuts(here: FloatArray, there: FloatArray, usual: float) -> float:
    """Least squares over the cuts, where they are many and far apart."""
    if len(here) < SPEED_CUTS or here[-1] - here[0] < SPEED_SPAN_S:
        return usual
    speed = float(np.polyfit(here, there, 1)[0])
    return 1.0 if abs(speed - 1) <= SAME_SPEED / 2 else speed
