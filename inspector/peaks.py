"""Moments that stand out among their neighbours: what is picked so is the same in every copy of a video.

Both fingerprints and landmarks are made at such moments, because they depend on nothing but what is shown
around them: neither on where a copy begins nor on what else it holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspector.model import FloatArray


def find_peaks(times_s: FloatArray, values: NDArray[np.float32], reach_s: float) -> NDArray[np.intp]:
    """Indices of the values that no other within `reach_s` exceeds; of equal ones the first. (n,) each, times
    ascending.
    """
    return np.flatnonzero(count_greater(times_s, values, reach_s) == 0)


def count_greater(times_s: FloatArray, values: NDArray[np.float32], reach_s: float) -> NDArray[np.intp]:
    """How many values within `reach_s` of each are greater, or equal and earlier: (n,)."""
    greater = np.zeros(len(values), dtype=np.intp)
    for step in range(1, len(values)):
        near = times_s[step:] - times_s[:-step] <= reach_s
        if not near.any():
            break
        rises = values[step:] > values[:-step]
        greater[:-step] += near & rises
        greater[step:] += near & ~rises
    return greater
