"""A picture within the picture: a rectangle whose four sides stand still while what they part goes on.

Where two pictures meet, neighbouring pixels differ more than a pixel farther on either side, in every frame
at the same place. Edges of things seldom do: they move, or are crooked, or are no whole rectangle.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.fingerprint.frames import Box
from inspector.model import FRAME_HEIGHT, FRAME_WIDTH, ByteArray

#: Rows and columns an inset has at least and at most; of its sides so many lie inside the frame.
LEAST_ROWS, MOST_ROWS = 8, 30
LEAST_COLUMNS, MOST_COLUMNS = 14, 54
LEAST_SIDES_INSIDE: Final = 2
#: A pixel whose difference from the next exceeds those on either side by so many levels is all seam.
SEAM_LEVELS: Final = 10.0
#: Each side is a seam to this share, and the edge of the frame, where an inset may end too, just counts.
#: Found on 150 insets of random size and place: 7 in 10 are found, most others are dark on dark; of 8 s of
#: plain footage 1 in 8 has such a rectangle: a window, a screen, a drawn frame.
LEAST_SEAM: Final = 0.65
#: Of several rectangles the best by its weakest side, and by so much of the mean of all four, is taken; of
#: equals the larger.
SHARE_OF_MEAN: Final = 0.5
SHARE_OF_AREA: Final = 0.1

#: Top and bottom edges of all rectangles looked at: row t is the first, row b-1 the last inside.
_TOP, _BOTTOM = np.array(
    [
        (t, b)
        for t in range(FRAME_HEIGHT + 1)
        for b in range(t + LEAST_ROWS, min(t + MOST_ROWS, FRAME_HEIGHT) + 1)
    ]
).T


def find_inset(luma: ByteArray) -> Box | None:
    """The rectangle that is most probably an inset in all these frames together. luma: (n, 36, 64)."""
    levels = luma.astype(np.int16)
    across, down = _seams(levels), _seams(levels.transpose(0, 2, 1)).T
    along_rows = np.concatenate((np.zeros((1, FRAME_WIDTH + 1)), np.cumsum(across, axis=0)))
    along_columns = np.concatenate((np.zeros((FRAME_HEIGHT + 1, 1)), np.cumsum(down, axis=1)), axis=1)
    upright = (along_rows[_BOTTOM] - along_rows[_TOP]) / (_BOTTOM - _TOP)[:, None]
    rows, left, right = _side_pairs(upright >= LEAST_SEAM)
    top, bottom, width = _TOP[rows], _BOTTOM[rows], right - left
    sides = np.stack(
        [
            upright[rows, left],
            upright[rows, right],
            (along_columns[top, right] - along_columns[top, left]) / width,
            (along_columns[bottom, right] - along_columns[bottom, left]) / width,
        ]
    )
    inside = (top > 0).astype(int) + (bottom < FRAME_HEIGHT) + (left > 0) + (right < FRAME_WIDTH)
    fit = (sides.min(axis=0) >= LEAST_SEAM) & (inside >= LEAST_SIDES_INSIDE)
    if not fit.any():
        return None
    area = (bottom - top) * width / (FRAME_HEIGHT * FRAME_WIDTH)
    worth = fit * (sides.min(axis=0) + SHARE_OF_MEAN * sides.mean(axis=0)) * area**SHARE_OF_AREA
    best = int(worth.argmax())
    return Box(int(top[best]), int(bottom[best]), int(left[best]), int(right[best]))


def _seams(levels: NDArray[np.int16]) -> NDArray[np.float32]:
    """How much of a seam lies left of each column, and right of the last: (n, h, w) to (h, w + 1), 0..1."""
    steps = np.abs(np.diff(levels, axis=2)).sum(axis=0, dtype=np.int32) / np.float32(max(len(levels), 1))
    wide = np.pad(steps, ((0, 0), (2, 2)), mode="edge")
    seam = np.clip((steps - (wide[:, :-4] + wide[:, 4:]) / 2) / SEAM_LEVELS, 0, 1)
    return np.pad(seam, ((0, 0), (1, 1)), constant_values=LEAST_SEAM).astype(np.float32)


def _side_pairs(seam: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """All pairs of seams in one row that are a left and a right side: (row, left, right), (p,) each."""
    row, column = np.nonzero(seam)
    ends = np.searchsorted(row, row, side="right")
    later = ends - np.arange(len(row)) - 1
    first = np.repeat(np.arange(len(row)), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    width = column[second] - column[first]
    fit = (width >= LEAST_COLUMNS) & (width <= MOST_COLUMNS)
    return row[first][fit], column[first][fit], column[second][fit]
