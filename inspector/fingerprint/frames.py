"""64-bit hashes of frames, free of borders, and how much each frame differs from the one before.

The hash is the signs of the 8×8 lowest DCT coefficients of the picture inside its borders (Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010, describes the family). Because the
picture is stretched to a fixed shape and only signs are kept, mirroring and turning the picture merely flip
and permute bits: `inspector.matching.hashes` makes those variants from the hash alone.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.model import ByteArray, HashArray

#: A row or column whose pixels stay within so many levels of each other, in all frames looked at, is border.
BORDER_RANGE: Final = 14
#: At least these shares of height and width are picture, whatever seems flat.
LEAST_PICTURE: Final = 0.25
#: Levels (squared below) that stand for noise when two frames are compared: black frames are all alike.
NOISE_LEVELS: Final = 4.0

#: Changes below so many levels (root mean square) are noise of the coding; the faintest real motion among the
#: clips, leaves in the wind, is 2.
LEAST_MOTION: Final = 0.8


class Box(NamedTuple):
    """Rows [top, bottom) and columns [left, right) of the small frame."""

    top: int
    bottom: int
    left: int
    right: int


def picture_box(luma: ByteArray) -> Box:
    """Where the picture is, inside bars that are flat in all the frames together. luma: (n, h, w)."""
    low, high = luma.min(axis=0), luma.max(axis=0)
    rows = _inside(high.max(axis=1).astype(np.int16) - low.min(axis=1))
    columns = _inside(high.max(axis=0).astype(np.int16) - low.min(axis=0))
    if rows is None or columns is None:
        return Box(0, luma.shape[1], 0, luma.shape[2])
    return Box(*rows, *columns)


def _inside(ranges: NDArray[np.int16]) -> tuple[int, int] | None:
    """First and last line that is no border; None if too little would be left. Half-covered lines go too."""
    lively = np.flatnonzero(ranges > BORDER_RANGE)
    if not lively.size:
        return None
    first, end = int(lively[0]), int(lively[-1]) + 1
    return (first, end) if end - first >= LEAST_PICTURE * ranges.size else None


@cache
def _basis(length: int) -> NDArray[np.float32]:
    """The eight lowest DCT-II basis vectors over `length` points: (8, length)."""
    points = (np.arange(length) + 0.5) * np.pi / length
    return np.cos(np.arange(8)[:, None] * points).astype(np.float32)


def hash_frames(luma: ByteArray, box: Box) -> HashArray:
    """Signs of the low DCT coefficients. luma: (n, 36, 64).  Returns (n,); bit 8·v+h stands for v vertical
    and h horizontal half-waves; bit 0 (the mean) is always 0.
    """
    return _signs(luma[:, box.top : box.bottom, box.left : box.right].astype(np.float32))


def hash_motion(luma: ByteArray, before: ByteArray, box: Box) -> HashArray:
    """The same signs of what changed since the frames `before`; 0 where hardly anything did.

    luma, before: (n, 36, 64).  What stands still, be it a place, a caption or a bar, is not in it: two takes
    of one place by one camera agree in `hash_frames`, but in this only if they were made at the same time.
    """
    inside = np.s_[:, box.top : box.bottom, box.left : box.right]
    change = luma[inside].astype(np.float32) - before[inside]
    moved = np.sqrt((change * change).mean(axis=(1, 2))) >= LEAST_MOTION
    return np.where(moved, _signs(change), np.uint64(0))


def _signs(picture: NDArray[np.float32]) -> HashArray:
    waves = _basis(picture.shape[1]) @ picture @ _basis(picture.shape[2]).T
    waves[:, 0, 0] = 0
    bits = np.packbits(waves.reshape(-1, 64) > 0.5, axis=1, bitorder="little")
    return bits.view("<u8")[:, 0].astype(np.uint64)


def novelty_of(luma: ByteArray, before: ByteArray) -> NDArray[np.float32]:
    """How little each frame correlates with the one before it: 0 the same, 1 another picture.

    luma, before: (n, 36, 64).  Brightness and gain do not count; two frames without contrast are the same.
    """
    a, b = (x.reshape(len(x), -1).astype(np.float32) for x in (luma, before))
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    noise = np.float32(NOISE_LEVELS**2)
    spread = np.sqrt(((a * a).mean(axis=1) + noise) * ((b * b).mean(axis=1) + noise))
    return np.asarray(np.clip(1 - ((a * b).mean(axis=1) + noise) / spread, 0, 1), dtype=np.float32)
