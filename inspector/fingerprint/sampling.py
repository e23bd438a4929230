"""Which frames are hashed: a few each second, counted anew from every cut.

Counting from the cut makes two copies hash the *same* frames, whatever stood before and whatever the frame
rate. Borders are looked for in all sampled frames of a shot together, because one dark frame has borders
everywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.fingerprint.frames import hash_frames, novelty_of, picture_box
from inspector.model import ByteArray, FloatArray, HashArray

#: Seconds between hashed frames, and from a cut to the first: fresh shots start with coding artefacts.
STEP_S: Final = 0.2
FIRST_S: Final = 0.1
#: A shot longer than so many hashed frames is hashed in pieces (bounds memory).
GROUP: Final = 40


class FrameSampler:
    """Takes judged frames in order, hashes some of them."""

    def __init__(self) -> None:
        self._next_s = -np.inf
        self._held_luma: list[ByteArray] = []
        self._last: ByteArray | None = None
        self._times: list[float] = []
        self._hashes: list[HashArray] = []
        self._novelty: list[NDArray[np.float32]] = []

    def add(self, time_s: float, luma: ByteArray, *, cut: bool) -> None:
        """One frame, (36, 64); `cut`: it is the first of a new shot."""
        if cut:
            self._hash_group()
            self._next_s = time_s + FIRST_S
        if time_s < self._next_s:
            return
        steps = 1 if self._next_s == -np.inf else int((time_s - self._next_s) / STEP_S) + 1
        self._next_s = (time_s if self._next_s == -np.inf else self._next_s) + steps * STEP_S
        self._times.append(time_s)
        self._held_luma.append(luma)
        if len(self._held_luma) >= GROUP:
            self._hash_group()

    def finish(self) -> tuple[FloatArray, HashArray, NDArray[np.float32]]:
        """Times (s), hashes and novelty of the hashed frames."""
        self._hash_group()
        return (
            np.array(self._times, dtype=np.float64),
            np.concatenate([np.zeros(0, np.uint64), *self._hashes]),
            np.concatenate([np.zeros(0, np.float32), *self._novelty]),
        )

    def _hash_group(self) -> None:
        """Hash the frames held since the last cut; the first frame of a video is not new to anything."""
        if not self._held_luma:
            return
        luma = np.stack(self._held_luma)
        first = luma[:1] if self._last is None else self._last[None]
        self._hashes.append(hash_frames(luma, picture_box(luma)))
        self._novelty.append(novelty_of(luma, np.concatenate((first, luma[:-1]))))
        self._last = luma[-1]
        self._held_luma = []
