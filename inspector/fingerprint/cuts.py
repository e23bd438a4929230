"""Hard cuts between shots, right to the frame, found while the frames stream by.

A cut is a difference between two neighbouring frames that stands out from the differences around it. Three
ideas, each older than this file:

- frames are compared after removing mean and gain, so that fades and changes of exposure are small steps
  (Yusoff, Christmas & Kittler, "Video shot cut detection using adaptive thresholding", BMVC 2000);
- the threshold adapts to the differences nearby, so that fast motion is no row of cuts (the same);
- a jump that is undone within a fraction of a second is a flash
  (Zhang, Kankanhalli & Smoliar, "Automatic partitioning of full-motion video", 1993).

Everything is counted in seconds, never in frames, so any frame rate, fixed or not, is the same to us.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.model import ByteArray, FloatArray

Looks = NDArray[np.float32]  # (n, 576): frames made comparable, see `looks_of`

#: Levels added to a frame's deviation before it divides: keeps the noise of black frames small.
GAIN_FLOOR: Final = 6.0
#: A cut differs at least so much; two unrelated frames differ by about 1. This, the three ratios below and
#: the share of a flash have the best F1 of a coarse grid on films composed of one half of the clips, and
#: stand in the middle of where it is best (`benchmarks/cuts.py`).
LEAST_DIFFERENCE: Final = 0.25
#: ... and stands out so many times from the differences around it.
LEAST_RATIO: Final = 2.8
#: ... or so many times from the calmer of its two sides, and from the busier one.
LEAST_RATIO_CALM: Final = 6.0
LEAST_RATIO_BUSY: Final = 1.35
#: So few frames do not tell whether a side is calm.
LEAST_AROUND: Final = 5
#: The differences within so many seconds are "around"; their upper quantile is robust to other cuts nearby
#: and to repeated frames.
AROUND_S: Final = 0.6
AROUND_QUANTILE: Final = 0.8
#: A jump undone within so many seconds is a flash.
FLASH_S: Final = 0.3
FLASH_SHARE: Final = 0.7
#: Of two cuts closer than this only the stronger is kept.
LEAST_SHOT_S: Final = 0.1
#: Two cuts so close with a plain frame between them are one fade through black or white: the later stays.
FADE_S: Final = 0.4
PLAIN: Final = 0.3

#: A frame can be judged once the frames of so many seconds after it are known.
CONTEXT_S: Final = max(AROUND_S, FLASH_S) + FADE_S + LEAST_SHOT_S


def looks_of(luma: ByteArray) -> Looks:
    """Frames made comparable: half size, mean removed, divided by their deviation.

    luma: (n, 36, 64).  Returns (n, 576) float32; a flat frame becomes all zeros.
    """
    rows = luma[:, ::2].astype(np.uint16) + luma[:, 1::2]
    small = (rows[:, :, ::2] + rows[:, :, 1::2]).reshape(-1, 576).astype(np.float32) / np.float32(4)
    small -= small.mean(axis=1, keepdims=True)
    deviation = np.sqrt((small * small).mean(axis=1, keepdims=True))
    return np.asarray(small / (deviation + GAIN_FLOOR), dtype=np.float32)


def difference(a: Looks, b: Looks) -> NDArray[np.float32]:
    """Mean absolute difference of looks, along the last axis: 0 for equal frames, about 1 for unrelated
    ones.
    """
    return np.asarray(np.abs(a - b).mean(axis=-1), dtype=np.float32)


def find_cuts(times_s: FloatArray, looks: Looks, differences: FloatArray) -> NDArray[np.bool_]:
    """Which frames are the first of a new shot.

    times_s: (n,) ascending.  looks: (n, 576).  differences: (n,) from the frame before; the first of a video
    is 0. A frame's answer depends on the frames within `CONTEXT_S` of it and on no
    others.
    """
    strong = np.flatnonzero(differences >= LEAST_DIFFERENCE)
    jumps = [i for i in strong.tolist() if _stands_out(i, times_s, differences)]
    found = np.zeros(len(times_s), dtype=np.bool_)
    found[[i for i in jumps if not _is_flash(i, times_s, looks, differences)]] = True
    return _without_crowd(_without_fades(found, times_s, looks), times_s, differences)


def _span(times_s: FloatArray, start_s: float, end_s: float) -> slice:
    return slice(int(np.searchsorted(times_s, start_s)), int(np.searchsorted(times_s, end_s, side="right")))


def _stands_out(i: int, times_s: FloatArray, differences: FloatArray) -> bool:
    """Whether the difference at frame i is far above those around it.

    Where one shot is calm and the other moves fast, being far above the calm one is enough, as long as the
    jump is more than the motion that follows or precedes it: motion that sets in has no such peak.
    """
    span = _span(times_s, times_s[i] - AROUND_S, times_s[i] + AROUND_S)
    before, after = differences[span.start : i], differences[i + 1 : span.stop]
    if differences[i] >= LEAST_RATIO * _level(np.concatenate((before, after))):
        return True
    if min(before.size, after.size) < LEAST_AROUND:
        return False
    calm, busy = sorted((_level(before), _level(after)))
    return bool(differences[i] >= max(LEAST_RATIO_CALM * calm, LEAST_RATIO_BUSY * busy))


def _level(around: FloatArray) -> float:
    """What differences are usual here; robust to single jumps, and to repeated frames, which differ by 0."""
    if not around.size:
        return 0.0
    rank = min(int(AROUND_QUANTILE * around.size), around.size - 1)
    return float(max(np.partition(around, rank)[rank], around.mean()))


def _is_flash(i: int, times_s: FloatArray, looks: Looks, differences: FloatArray) -> bool:
    """Whether the jump at frame i is soon undone, or undoes another."""
    after = _span(times_s, times_s[i], times_s[i] + FLASH_S)
    before = _span(times_s, times_s[i] - FLASH_S, times_s[i])
    least = FLASH_SHARE * differences[i]
    undone = difference(looks[i + 1 : after.stop], looks[i - 1])
    undoes = difference(looks[before.start : i - 1], looks[i]) if i >= 1 else undone[:0]
    return bool((undone < least).any() or (undoes < least).any())


def _without_fades(found: NDArray[np.bool_], times_s: FloatArray, looks: Looks) -> NDArray[np.bool_]:
    """Of two cuts around a plain frame keep the later."""
    cuts = np.flatnonzero(found)
    for first, second in pairwise(cuts.tolist()):
        close = times_s[second] - times_s[first] <= FADE_S
        if close and np.abs(looks[first:second]).mean(axis=1).min() < PLAIN:
            found[first] = False
    return found


def _without_crowd(
    found: NDArray[np.bool_], times_s: FloatArray, differences: FloatArray
) -> NDArray[np.bool_]:
    """Keep a cut only if no stronger one lies within `LEAST_SHOT_S` (of equals the first stays)."""
    cuts = np.flatnonzero(found)
    for i in cuts:
        rivals = cuts[(np.abs(times_s[cuts] - times_s[i]) < LEAST_SHOT_S) & (cuts != i)]
        if (
            (differences[rivals] > differences[i]) | ((differences[rivals] == differences[i]) & (rivals < i))
        ).any():
            found[i] = False
    return found
