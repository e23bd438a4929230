"""One streaming pass over frames and sound that leaves a fingerprint behind.

Frames are worked on in blocks of a fixed number of frames, whatever the batches they come in, so that the
result is the same to the last bit however a decoder slices its output.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.fingerprint.cuts import CONTEXT_S, Looks, difference, find_cuts, looks_of
from inspector.fingerprint.frames import Box
from inspector.fingerprint.sampling import FrameSampler
from inspector.fingerprint.sound import SoundHasher
from inspector.fingerprint.views import ViewHasher, Views
from inspector.freezing import Log
from inspector.model import FRAME_HEIGHT, FRAME_WIDTH, ByteArray, Fingerprint, FloatArray, FrameBatch

BLOCK: Final = 256  # frames worked on together
#: The most frames that may wait for their judgement: a stream whose clock stands still must not fill the
#: memory.
MOST_WAITING: Final = 4 * BLOCK


class Fingerprinter:
    """Collects a video's frames and sound, in order; memory stays at a few bytes per frame.

    Frames come by `add_frames`, mono samples at `SOUND_RATE_HZ` by `add_sound`, both from the container's
    start; they may be interleaved in any way. `finish` once. aspect: width by height of the picture, which
    the small frames do not tell.
    """

    def __init__(self, aspect: float = 16 / 9) -> None:
        self._pending: list[FrameBatch] = []
        self._pending_frames = 0
        self._window = _Window()
        self._sampler = FrameSampler(aspect)
        self._sound = SoundHasher()
        self._cuts: Log[float] = Log()

    def add_frames(self, batch: FrameBatch) -> None:
        """The next frames; times that go back are taken as standing still."""
        self._pending.append(batch)
        self._pending_frames += len(batch.times_s)
        if self._pending_frames >= BLOCK:
            self._work_off(least=BLOCK)

    def add_sound(self, samples: NDArray[np.int16]) -> None:
        """The next samples, any number of them."""
        self._sound.add(samples)

    def finish(self, duration_s: float, *, truncated: bool) -> Fingerprint:
        """The fingerprint of all that was added."""
        self._work_off(least=1)
        self._judge(final=True)
        frames = self._sampler.finish()
        sound_times, sound_hashes, weight = self._sound.finish()
        return Fingerprint(
            duration_s=duration_s,
            cuts_s=np.array(self._cuts, dtype=np.float64),
            frame_times_s=_rounded(frames.times_s),
            frame_hashes=frames.hashes,
            frame_novelty=_shortened(frames.novelty),
            motion_hashes=frames.motion,
            view_frames=frames.views.frames,
            view_kinds=frames.views.kinds,
            view_hashes=frames.views.hashes,
            view_motion=frames.views.motion,
            sound_times_s=_rounded(sound_times),
            sound_hashes=sound_hashes,
            sound_weight=_shortened(weight),
            truncated=truncated,
        )

    def _work_off(self, *, least: int) -> None:
        """Take whole blocks (or, with least=1, all) from what has come in."""
        if not self._pending:
            return
        times = np.concatenate([b.times_s for b in self._pending]).astype(np.float64)
        luma = np.concatenate([b.luma for b in self._pending])
        at = 0
        while len(times) - at >= least:
            self._window.extend(times[at : at + BLOCK], luma[at : at + BLOCK])
            self._judge(final=False)
            at += min(BLOCK, len(times) - at)
        self._pending = [FrameBatch(times[at:], luma[at:])]
        self._pending_frames = len(times) - at

    def _judge(self, *, final: bool) -> None:
        """Decide on the frames whose surroundings are known, and hand them to the sampler."""
        window = self._window
        ready = window.judgeable(final=final)
        if ready <= window.judged:
            return
        cuts = find_cuts(window.times_s, window.looks, window.differences)
        for i in range(window.judged, ready):
            time_s = float(window.times_s[i])
            if cuts[i]:
                self._cuts.append(time_s)
            self._sampler.add(time_s, window.luma[i], cut=bool(cuts[i]))
        window.forget_before(ready)


def _rounded(times_s: FloatArray) -> FloatArray:
    """Whole milliseconds: what is stored is what was made."""
    return np.rint(times_s * 1000) / 1000


def _shortened(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """16 bits each, of which the last five are 0: to a thirtieth of their value, which is plenty."""
    bits = shares.astype(np.float16).view(np.uint16) & np.uint16(0xFFE0)
    return bits.view(np.float16).astype(np.float32)


class _Window:
    """The frames around the ones being judged: their times, pixels, looks and differences from the frame
    before.
    """

    def __init__(self) -> None:
        self.times_s: FloatArray = np.zeros(0)
        self.luma: ByteArray = np.zeros((0, FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
        self.looks: Looks = np.zeros((0, 576), np.float32)
        self.differences: FloatArray = np.zeros(0)
        self.judged = 0

    def extend(self, times_s: FloatArray, luma: ByteArray) -> None:
        looks = looks_of(luma)
        last = self.looks[-1:] if len(self.looks) else looks[:1]
        differences = difference(looks, np.concatenate((last, looks[:-1]))).astype(np.float64)
        earliest = self.times_s[-1] if len(self.times_s) else -np.inf
        ascending = np.maximum.accumulate(np.maximum(times_s, earliest))
        self.times_s = np.concatenate((self.times_s, ascending))
        self.luma = np.concatenate((self.luma, luma))
        self.looks = np.concatenate((self.looks, looks))
        self.differences = np.concatenate((self.differences, differences))

    def judgeable(self, *, final: bool) -> int:
        """How many of the frames, from the first, can be judged now."""
        count = len(self.times_s)
        if final or not count:
            return count
        known = int(np.searchsorted(self.times_s, self.times_s[-1] - CONTEXT_S))
        return max(known, count - MOST_WAITING)

    def forget_before(self, ready: int) -> None:
        """Frames before `ready` are judged; keep those that later judgements look back at."""
        self.judged = ready
        if ready == len(self.times_s):
            return
        keep = int(np.searchsorted(self.times_s, self.times_s[ready] - 2 * CONTEXT_S))
        keep = max(0, min(keep, ready - 1), ready - MOST_WAITING)
        self.times_s, self.luma = self.times_s[keep:], self.luma[keep:]
        self.looks, self.differences = self.looks[keep:], self.differences[keep:]
        self.judged -= keep


#: All that a `Fingerprinter` at work is made of: what `inspector.freezing` needs to know to keep one.
PARTS: Final = (Fingerprinter, _Window, FrameSampler, ViewHasher, SoundHasher, FrameBatch, Views, Box)
