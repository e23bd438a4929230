"""Parts of the picture that are hashed by themselves, because an edit may leave nothing else.

- *Centre*: the middle of a landscape picture in portrait shape, which is what an upright crop shows; of a
  portrait picture the middle in landscape shape. Sparse: at the frames that differ more from the ones before
  them than their neighbours do, which are the same frames in every copy.
- *Inset*: a picture within the picture (`inspector.fingerprint.insets`). Every hashed frame, where there is
  one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.fingerprint.frames import Box, hash_frames, hash_motion, picture_box
from inspector.fingerprint.insets import find_inset
from inspector.freezing import Log
from inspector.model import FRAME_HEIGHT, FRAME_WIDTH, ByteArray, FloatArray, HashArray, View
from inspector.peaks import find_peaks

#: Width by height of an upright picture; the other way round of a wide one.
UPRIGHT: Final = 9 / 16
#: Pictures at least so wide are cropped upright, narrower ones wide.
LEAST_WIDE: Final = 0.75
LEAST_CENTRE: Final = 8  # pixels: as many as there are waves in a hash
#: An inset is looked for in so many hashed frames together: 8 s.
WINDOW: Final = 40
#: Centres are kept of frames whose novelty none within so many seconds exceeds ...
REACH_S: Final = 0.45
#: ... and of others, so that hardly ever so many seconds go without.
MOST_GAP_S: Final = 1.4


class Views(NamedTuple):
    """(v,) each, by kind, then frame. frames: which hashed frame; kinds: `View`; hashes, motion: of this
    part.
    """

    frames: NDArray[np.int32]
    kinds: ByteArray
    hashes: HashArray
    motion: HashArray


class ViewHasher:
    """Takes the hashed frames in order, in any portions; `aspect`: width by height of the picture."""

    def __init__(self, aspect: float) -> None:
        self._centre = centre_box(aspect)
        self._centres: Log[tuple[HashArray, HashArray]] = Log()
        self._held: list[tuple[ByteArray, ByteArray]] = []
        self._insets: Log[Views] = Log()
        self._hashed = 0  # frames whose insets are done
        self._last = (_no_frames(), _no_frames())  # the last window of those

    def add(self, luma: ByteArray, before: ByteArray, box: Box) -> None:
        """Hashed frames of one shot, (n, 36, 64), the ones a second before, and where the picture is."""
        centre = _common(self._centre, box)
        self._centres.append((hash_frames(luma, centre), hash_motion(luma, before, centre)))
        self._held.append((luma, before))
        if sum(len(held) for held, _ in self._held) >= WINDOW:
            self._hash_insets(least=WINDOW)

    def finish(self, times_s: FloatArray, novelty: NDArray[np.float32]) -> Views:
        """All views; times and novelty are those of all the frames added."""
        self._hash_insets(least=1)
        parts = [_none(), *self._insets]
        if self._centres:
            hashes, motion = (np.concatenate(column) for column in zip(*self._centres, strict=True))
            kept = _without_gaps(times_s, find_peaks(times_s, novelty, REACH_S))
            parts.insert(0, _views(View.CENTRE, kept, hashes[kept], motion[kept]))
        return Views(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _hash_insets(self, *, least: int) -> None:
        """Take whole windows (or, with least=1, all) of what is held; a short one looks back as well."""
        if not self._held:
            return
        luma, before = (np.concatenate(column) for column in zip(*self._held, strict=True))
        at = 0
        while len(luma) - at >= least:
            window = luma[at : at + WINDOW], before[at : at + WINDOW]
            seen = np.concatenate((self._last[0], window[0]))[-WINDOW:]
            box = find_inset(seen)
            if box:
                self._insets.append(_inset(*window, box, self._hashed))
            self._last = window
            self._hashed += len(window[0])
            at += len(window[0])
        self._held = [(luma[at:], before[at:])] if at < len(luma) else []


def centre_box(aspect: float) -> Box:
    """The middle of a picture of this shape, as the small frame shows it."""
    if aspect >= LEAST_WIDE:
        left = _cut_off(FRAME_WIDTH, UPRIGHT / aspect)
        return Box(0, FRAME_HEIGHT, left, FRAME_WIDTH - left)
    top = _cut_off(FRAME_HEIGHT, aspect * UPRIGHT)
    return Box(top, FRAME_HEIGHT - top, 0, FRAME_WIDTH)


def _cut_off(length: int, share: float) -> int:
    """Pixels on either side of the middle `share`; a few in the middle always stay."""
    return round((length - max(share * length, LEAST_CENTRE)) / 2)


def _common(a: Box, b: Box) -> Box:
    """What both cover; the first if that is nothing to speak of."""
    both = Box(max(a.top, b.top), min(a.bottom, b.bottom), max(a.left, b.left), min(a.right, b.right))
    enough = min(both.bottom - both.top, both.right - both.left) >= LEAST_CENTRE
    return both if enough else a


def _inset(luma: ByteArray, before: ByteArray, box: Box, start: int) -> Views:
    """The picture inside an inset, without its own bars; `start`: the number of the first frame."""
    inner = picture_box(luma[:, box.top : box.bottom, box.left : box.right])
    seen = Box(box.top + inner.top, box.top + inner.bottom, box.left + inner.left, box.left + inner.right)
    frames = np.arange(start, start + len(luma))
    return _views(View.INSET, frames, hash_frames(luma, seen), hash_motion(luma, before, seen))


def _without_gaps(times_s: FloatArray, peaks: NDArray[np.intp]) -> NDArray[np.intp]:
    """The peaks, and between those far apart as many more frames as it takes, evenly."""
    kept = [np.zeros(0, np.intp)]
    for first, last in pairwise(np.union1d(peaks, [0, len(times_s) - 1])):
        parts = max(int(np.ceil((times_s[last] - times_s[first]) / MOST_GAP_S)), 1)
        kept.append(np.linspace(first, last, parts + 1).astype(np.intp))
    return np.unique(np.concatenate(kept))


def _views(kind: View, frames: NDArray[np.intp], hashes: HashArray, motion: HashArray) -> Views:
    return Views(frames.astype(np.int32), np.full(len(frames), kind, np.uint8), hashes, motion)


def _none() -> Views:
    return _views(View.WHOLE, np.zeros(0, np.intp), np.zeros(0, np.uint64), np.zeros(0, np.uint64))


def _no_frames() -> ByteArray:
    return np.zeros((0, FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
