"""What a stretch of a line amounts to: likelihood ratios of frames, sounds and cuts, each counted against
chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.matching.alignment import (
    Aligned,
    align_frames,
    align_motion,
    align_sounds,
    find_runs,
    frame_chance,
    match_cuts,
    motion_chance,
    repetition,
    sound_chance,
)
from inspector.matching.likelihood import FloatMatrix, cut_ratio, frame_ratio, presence_ratio, sound_ratio
from inspector.matching.lines import Line
from inspector.matching.votes import freshness, motion_freshness
from inspector.model import Fingerprint, FloatArray

#: Cuts lie on each other within this: two frames at 25/s.
CUT_TOLERANCE_S: Final = 0.08
#: Windows of sound overlap; so many sub-fingerprints are one independent observation.
SOUNDS_PER_OBSERVATION: Final = 5.0
#: Motion is taken over a second, in steps of a fifth; so many are one independent observation.
MOTIONS_PER_OBSERVATION: Final = 2.0
#: Other motion speaks against a copy with no more than this: enough to outweigh that the same place is shown
#: (see `score.WORTH`).
MOST_AGAINST_NATS: Final = 12.0
#: Distance taken for unrelated: a frame belongs to a stretch if it is less than half-way there from the usual
#: distance of the copy.
UNRELATED_BITS: Final = 30.0
#: Sub-fingerprints of 32 bits differ in fewer if they are of the same sound.
UNLIKE_SOUND_BITS: Final = 11
#: A stretch ends where agreement has been missing for so many seconds; shorter than this none is looked at.
DROP_S: Final = 1.6
LEAST_S: Final = 1.2
#: Farther off no edit brings a whole stretch.
MOST_USUAL_BITS: Final = 22.0
#: Hashes with fewer bits set show nothing (black, white, a plain colour).
LEAST_STRUCTURE: Final = 8
#: So many hashed frames make presence certain.
FULL_PRESENCE: Final = 10


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a line, and what speaks for it (nats; counts of agreeing items)."""

    line: Line
    start_s: float
    end_s: float
    frames_nats: float = 0.0
    motion_nats: float = 0.0
    sounds_nats: float = 0.0
    cuts_nats: float = 0.0
    presence_nats: float = 0.0
    frames: int = 0
    sounds: int = 0
    cuts: int = 0

    @property
    def kinds(self) -> dict[str, float]:
        """Nats by kind of evidence; `line` is what so unusual a line must pay."""
        return {
            "cuts": self.cuts_nats,
            "frames": self.frames_nats,
            "motion": self.motion_nats,
            "presence": self.presence_nats,
            "sounds": self.sounds_nats,
            "line": -self.line.price_nats,
        }

    @property
    def nats(self) -> float:
        """All of it together."""
        return sum(self.kinds.values())


#: So many frames or sounds are weighed together.
AT_ONCE: Final = 4096


class LineView:
    """Two fingerprints seen along a line; computes each part once."""

    def __init__(self, a: Fingerprint, b: Fingerprint, line: Line) -> None:
        self.a, self.b, self.line = a, b, line
        self.frames = align_frames(a, b, line)
        self.motion = align_motion(a, b, self.frames)
        self.sounds = align_sounds(a, b, line)
        self._loud = np.minimum(a.sound_weight[self.sounds.a], b.sound_weight[self.sounds.b])

    @cached_property
    def _fresh(self) -> NDArray[np.float32]:
        product = freshness(self.a)[self.frames.a] * freshness(self.b)[self.frames.b]
        return np.asarray(np.sqrt(product), dtype=np.float32)

    @cached_property
    def _structured(self) -> NDArray[np.bool_]:
        return _has_structure(self.a)[self.frames.a] & _has_structure(self.b)[self.frames.b]

    @cached_property
    def _motion_nats(self) -> FloatMatrix:
        bits, i, j = self.motion.bits, self.motion.a, self.motion.b
        usual = min(float(np.median(bits)), MOST_USUAL_BITS) if bits.size else 0.0
        nats = _in_pieces(
            self.motion,
            lambda some: frame_ratio(some.bits, motion_chance(self.a, self.b, some), usual),
        )
        fresh = np.sqrt(motion_freshness(self.a)[i] * motion_freshness(self.b)[j])
        return np.asarray(nats * fresh / MOTIONS_PER_OBSERVATION, dtype=np.float32)

    @cached_property
    def _sound_nats(self) -> NDArray[np.floating]:
        return _in_pieces(
            self.sounds, lambda some: sound_ratio(some.bits, sound_chance(self.a, self.b, some))
        )

    def stretches(self) -> list[Stretch]:
        """Where frames agree; elsewhere, where sounds do."""
        frames = self._spans(self.frames, self._frame_values())
        sounds = [
            span
            for span in self._spans(self.sounds, self._sound_values())
            if not any(span[0] < end and start < span[1] for start, end in frames)
        ]
        return [self._stretch(*span) for span in frames] + [self._stretch_of_sound(*span) for span in sounds]

    def _spans(self, aligned: Aligned, values: FloatArray) -> list[tuple[float, float]]:
        runs = find_runs(aligned.a_s, values, drop=DROP_S, least=LEAST_S)
        return [(float(aligned.a_s[i]), float(aligned.a_s[k])) for i, k in runs]

    def _frame_values(self) -> FloatArray:
        """Seconds of agreement each frame stands for, negative where it disagrees."""
        bits = self._nearest_bits()
        near = bits[bits <= 20]
        usual = float(np.clip(np.median(near), 2, 18)) if near.size else 18.0
        border = (usual + UNRELATED_BITS) / 2
        agreement = np.clip((border - bits) / (UNRELATED_BITS - border), -1, 1)
        return np.asarray(agreement * _steps(self.frames.a_s), dtype=np.float64)

    def _nearest_bits(self) -> FloatMatrix:
        """Distances of the aligned frames by their picture or by their motion, whichever are more alike."""
        bits = self.frames.bits.copy()
        at = np.searchsorted(self.frames.a, self.motion.a)
        bits[at] = np.minimum(bits[at], self.motion.bits)
        return bits

    def _sound_values(self) -> FloatArray:
        agreement = np.clip((UNLIKE_SOUND_BITS - self.sounds.bits) / 5, -1, 1)
        return np.asarray(agreement * _steps(self.sounds.a_s) * (self._loud > 0), dtype=np.float64)

    def _stretch(self, start_s: float, end_s: float) -> Stretch:
        frames_nats, presence, frames = self._weigh_frames(start_s, end_s)
        motion_nats = self._weigh_motion(start_s, end_s)
        sounds_nats, sounds = self._weigh_sounds(start_s, end_s)
        cuts_nats, cuts = self._weigh_cuts(start_s, end_s)
        return Stretch(
            self.line,
            start_s,
            end_s,
            frames_nats=frames_nats,
            motion_nats=motion_nats,
            sounds_nats=sounds_nats,
            cuts_nats=cuts_nats,
            presence_nats=presence,
            frames=frames,
            sounds=sounds,
            cuts=cuts,
        )

    def _stretch_of_sound(self, start_s: float, end_s: float) -> Stretch:
        """Another picture to the same sound is an edit: it is no argument against the sound."""
        sounds_nats, sounds = self._weigh_sounds(start_s, end_s)
        return Stretch(self.line, start_s, end_s, sounds_nats=sounds_nats, sounds=sounds)

    def _weigh_frames(self, start_s: float, end_s: float) -> tuple[float, float, int]:
        here = (self.frames.a_s >= start_s) & (self.frames.a_s <= end_s)
        bits, fresh = self.frames.bits[here], self._fresh[here]
        if not bits.size:
            return 0.0, 0.0, 0
        usual = min(float(np.median(bits)), MOST_USUAL_BITS)
        nats = _in_pieces(
            self.frames.only(here),
            lambda some: frame_ratio(some.bits, frame_chance(self.a, self.b, some), usual),
        )
        agreeing = int((bits <= (usual + UNRELATED_BITS) / 2).sum())
        return float((nats * fresh).sum()), _presence(bits[self._structured[here]]), agreeing

    def _weigh_motion(self, start_s: float, end_s: float) -> float:
        """The same place at another time looks alike but moves otherwise: this may speak against a copy,
        though not without limit, for a poor encoding changes faint motion. Where either side shows none, this
        says nothing.
        """
        here = (self.motion.a_s >= start_s) & (self.motion.a_s <= end_s)
        return max(float(self._motion_nats[here].sum()), -MOST_AGAINST_NATS) if here.any() else 0.0

    def _weigh_sounds(self, start_s: float, end_s: float) -> tuple[float, int]:
        here = (self.sounds.a_s >= start_s) & (self.sounds.a_s <= end_s)
        if not here.any():
            return 0.0, 0
        nats = float((self._sound_nats * self._loud)[here].sum()) / SOUNDS_PER_OBSERVATION
        if nats > 0:
            nats *= 1 - repetition(self.a, self.b, self.sounds, here)
        agreeing = int(((self.sounds.bits < UNLIKE_SOUND_BITS) & (self._loud > 0) & here).sum())
        return max(nats, 0.0), agreeing  # other sound to the same picture is an edit, no argument against it

    def _weigh_cuts(self, start_s: float, end_s: float) -> tuple[float, int]:
        speed, offset = self.line.speed, self.line.offset_s
        a = _within(self.a.cuts_s, start_s + CUT_TOLERANCE_S, end_s) * speed + offset
        b = _within(self.b.cuts_s, speed * start_s + offset + CUT_TOLERANCE_S, speed * end_s + offset)
        if not len(a) or not len(b):
            return 0.0, 0
        matched = len(match_cuts(a, b, tolerance_s=CUT_TOLERANCE_S)[0])
        density = max(len(a), len(b)) / max(end_s - start_s, 1.0)
        chance = 1 - float(np.exp(-density * 2 * CUT_TOLERANCE_S))
        return cut_ratio(matched, len(a) - matched, len(b) - matched, chance), matched


def _in_pieces(aligned: Aligned, weigh: Callable[[Aligned], NDArray[np.floating]]) -> NDArray[np.floating]:
    """What is weighed one by one against many others, some at a time, which bounds the memory: (n,)."""
    starts = range(0, max(len(aligned.bits), 1), AT_ONCE)
    return np.concatenate([weigh(aligned.only(slice(start, start + AT_ONCE))) for start in starts])


def _has_structure(f: Fingerprint) -> NDArray[np.bool_]:
    return np.asarray(np.bitwise_count(f.frame_hashes) >= LEAST_STRUCTURE)


def _presence(bits: FloatMatrix) -> float:
    """What frames that show something say together about the same thing being shown: the mean of them, in
    full from ten frames on.
    """
    if not bits.size:
        return 0.0
    return float(presence_ratio(bits).mean()) * min(1.0, bits.size / FULL_PRESENCE)


def _within(times_s: FloatArray, start_s: float, end_s: float) -> FloatArray:
    return times_s[(times_s >= start_s) & (times_s <= end_s)]


def _steps(times_s: FloatArray) -> FloatArray:
    """Seconds each item stands for: until the next one, half a second at most."""
    return np.minimum(np.diff(times_s, append=times_s[-1:] + 0.2), 0.5)
