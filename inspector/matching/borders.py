"""Where exactly a copied stretch begins and ends: at a cut that only one side has, if there is one close by.

Agreement is known at the hashed frames alone, five a second. What was put in between other footage begins and
ends with cuts, which are known to the frame, and to which the other side has no counterpart.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from inspector.matching.lines import Line
from inspector.model import Fingerprint, FloatArray

#: The first hashed frame of a shot stands 0.1 s after its cut, and the next one 0.2 s after the last.
BEFORE_S: Final = 0.1
AFTER_S: Final = 0.2
#: A sub-fingerprint agrees only if all it was made from is copied, so much to either side of its time.
HEARD_S: Final = 0.4
#: A cut so close to where the agreement seems to begin or end is where it does.
NEAR_S: Final = 0.35
#: Cuts within this on the line are one and the same.
SAME_CUT_S: Final = 0.08


def find_borders(
    a: Fingerprint, b: Fingerprint, line: Line, start_s: float, end_s: float, *, seen: bool = True
) -> tuple[float, float]:
    """Start and end in a's time of a stretch whose first and last agreeing frames, or sounds, are given.

    seen: whether frames agree; cuts do not bound a stretch that is only heard. Both lie within both contents.
    """
    if seen:
        cuts = lone_cuts(a.cuts_s, (b.cuts_s - line.offset_s) / line.speed)
        start = _nearest(cuts, start_s - BEFORE_S)
        end = _nearest(cuts, end_s + AFTER_S / 2, end_s + AFTER_S)
    else:
        start, end = start_s - HEARD_S, end_s + HEARD_S
    first = max(0.0, -line.offset_s / line.speed)
    last = min(a.duration_s, (b.duration_s - line.offset_s) / line.speed)
    start = min(max(start, first), last)
    return start, max(start, min(max(end, first), last))


def lone_cuts(a_s: FloatArray, b_s: FloatArray) -> FloatArray:
    """Cuts of either side that the other one lacks; both on one clock, ascending."""
    return np.sort(np.concatenate((_without(a_s, b_s), _without(b_s, a_s))))


def _without(cuts_s: FloatArray, others_s: FloatArray) -> FloatArray:
    if not len(others_s):
        return cuts_s
    after = np.searchsorted(others_s, cuts_s)
    apart = [np.abs(others_s[np.clip(k, 0, len(others_s) - 1)] - cuts_s) for k in (after - 1, after)]
    return cuts_s[np.minimum(*apart) > SAME_CUT_S]


def _nearest(cuts_s: FloatArray, time_s: float, otherwise_s: float | None = None) -> float:
    """The cut nearest to a time, if one is near; else the time, or what is given instead."""
    if len(cuts_s):
        cut = float(cuts_s[np.abs(cuts_s - time_s).argmin()])
        if abs(cut - time_s) <= NEAR_S:
            return cut
    return time_s if otherwise_s is None else otherwise_s
