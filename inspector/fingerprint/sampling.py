"""Which frames are hashed: a few each second, counted anew from every cut.

Counting from the cut makes two copies hash the *same* frames, whatever stood before and whatever the frame
rate. Borders are looked for in all sampled frames of a shot together, because one dark frame has borders
everywhere.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.fingerprint.frames import hash_frames, hash_motion, novelty_of, picture_box
from inspector.fingerprint.views import ViewHasher, Views
from inspector.freezing import Log
from inspector.model import ByteArray, FloatArray, HashArray

#: Seconds between hashed frames, and from a cut to the first: fresh shots start with coding artefacts.
STEP_S: Final = 0.2
FIRST_S: Final = 0.1
#: A shot longer than so many hashed frames is hashed in pieces (bounds memory).
GROUP: Final = 40
#: Motion is what changed since so many hashed frames ago (a second), or since the first of the shot.
MOTION_STEPS: Final = 5


class SampledFrames(NamedTuple):
    """The hashed frames: (f,) each, times in seconds; and views of them."""

    times_s: FloatArray
    hashes: HashArray
    novelty: NDArray[np.float32]
    motion: HashArray
    views: Views


class FrameSampler:
    """Takes judged frames in order, hashes some of them; `aspect`: width by height of the picture."""

    def __init__(self, aspect: float) -> None:
        self._views = ViewHasher(aspect)
        self._next_s = -np.inf
        self._held_luma: list[ByteArray] = []
        self._last: ByteArray | None = None
        self._times: Log[float] = Log()
        self._hashes: Log[HashArray] = Log()
        self._novelty: Log[NDArray[np.float32]] = Log()
        self._motion: Log[HashArray] = Log()
        self._shot: list[ByteArray] = []  # the last hashed frames of the present shot

    def add(self, time_s: float, luma: ByteArray, *, cut: bool) -> None:
        """One frame, (36, 64); `cut`: it is the first of a new shot."""
        if cut:
            self._hash_group()
            self._shot = []
            self._next_s = time_s + FIRST_S
        if time_s < self._next_s:
            return
        steps = 1 if self._next_s == -np.inf else int((time_s - self._next_s) / STEP_S) + 1
        self._next_s = (time_s if self._next_s == -np.inf else self._next_s) + steps * STEP_S
        self._times.append(time_s)
        self._held_luma.append(luma)
        if len(self._held_luma) >= GROUP:
            self._hash_group()

    def finish(self) -> SampledFrames:
        """What was made of all the frames."""
        self._hash_group()
        times = np.array(self._times, dtype=np.float64)
        novelty = np.concatenate([np.zeros(0, np.float32), *self._novelty])
        return SampledFrames(
            times,
            np.concatenate([np.zeros(0, np.uint64), *self._hashes]),
            novelty,
            np.concatenate([np.zeros(0, np.uint64), *self._motion]),
            self._views.finish(times, novelty),
        )

    def _hash_group(self) -> None:
        """Hash the frames held since the last cut; the first frame of a video is not new to anything."""
        if not self._held_luma:
            return
        luma = np.stack(self._held_luma)
        first = luma[:1] if self._last is None else self._last[None]
        box = picture_box(luma)
        self._hashes.append(hash_frames(luma, box))
        before = self._a_second_before()
        self._motion.append(hash_motion(luma, before, box))
        self._views.add(luma, before, box)
        self._novelty.append(novelty_of(luma, np.concatenate((first, luma[:-1]))))
        self._last = luma[-1]
        self._held_luma = []

    def _a_second_before(self) -> ByteArray:
        """For each held frame the one that it is compared with; the first of a shot with itself."""
        shot = [*self._shot, *self._held_luma]
        known = len(self._shot)
        self._shot = shot[-MOTION_STEPS:]
        return np.stack([shot[max(k - MOTION_STEPS, 0)] for k in range(known, len(shot))])
