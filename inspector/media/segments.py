"""A long video in segments: each decoded from a landing of its own, nothing lost or doubled where they join.

A segment begins where ffmpeg lands when it seeks to a few seconds before the end of the one before. What it
brings from there up to that end, the echo, has been seen: it must be the same frames at the same times, and
the same sound in its place. If it is not, or if landings are far away, seeking in this file cannot be
trusted, and the pass before goes on to the end of the file. So what is handed on depends on the file and the
length of the segments, and never on who decoded what, or when.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.media.streams import SLACK_SAMPLES, FrameSink, SoundSink
from inspector.model import FRAME_HEIGHT, FRAME_WIDTH, SOUND_RATE_HZ, ByteArray, FloatArray, FrameBatch

#: A segment is entered so long before it begins: enough for decoders to find their feet, and for an echo.
OVERLAP_S: Final = 5.0
#: Pictures and sound are waited for so long at a border, in seconds of media; then the pass goes on instead.
#: Longer than pipes hold (a mebibyte is 18 s of pictures, 47 s of sound).
PATIENCE_S: Final = 120.0
#: The echo: the last frames before the border, and the last second of sound.
ECHO_FRAMES: Final = 8
ECHO_SAMPLES: Final = SOUND_RATE_HZ
#: Frames of an echo are the same if they differ by no more levels on average. They differ by 0, unless a
#: stream has no clean points of entry.
ECHO_LEVELS: Final = 2.0
#: Sound is the same if it correlates so well at a lag within the slack that sound is placed with. Of lags
#: that are about as good, as those of a steady tone are, the least counts.
ECHO_LIKENESS: Final = 0.8
ECHO_AS_GOOD: Final = 0.99
ECHO_SILENCE: Final = 30.0  # levels of 32768, root mean square; fainter sound is not compared


class Unseekable(Exception):
    """What follows a landing in this file is not what it should be."""


class SegmentEnded(Exception):
    """All of a segment has been handed on; the next one may have a landing of its own."""


@dataclass(frozen=True, slots=True)
class Echo:
    """What was handed on last. times_s: (n,); luma: (n, 36, 64); sound: (m,)."""

    times_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    luma: ByteArray = field(default_factory=lambda: np.zeros((0, FRAME_HEIGHT, FRAME_WIDTH), np.uint8))
    sound: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))

    def and_frames(self, batch: FrameBatch) -> Echo:
        times = np.concatenate((self.times_s, batch.times_s[-ECHO_FRAMES:]))[-ECHO_FRAMES:]
        luma = np.concatenate((self.luma, batch.luma[-ECHO_FRAMES:]))[-ECHO_FRAMES:]
        return replace(self, times_s=times, luma=luma)

    def and_sound(self, samples: NDArray[np.int16]) -> Echo:
        sound = np.concatenate((self.sound, samples[-ECHO_SAMPLES:]))[-ECHO_SAMPLES:]
        return replace(self, sound=sound)

    def has_frames_of(self, other: Echo) -> bool:
        """Whether the frames are the same, at exactly the same times."""
        if not len(self.times_s) or not np.array_equal(self.times_s, other.times_s):
            return False
        apart = np.abs(self.luma.astype(np.int16) - other.luma).mean(axis=(1, 2))
        return bool(apart.max() <= ECHO_LEVELS)

    def lag_of(self, other: Echo) -> int | None:
        """How many samples later the other's sound stands here than there, or None if it is another sound.

        Sound is placed with some slack, so where it stands depends a little on where a pass began.
        """
        if len(self.sound) != len(other.sound):
            return None
        a, b = self.sound.astype(np.float64), other.sound.astype(np.float64)
        loudness = math.sqrt(float(a @ a) * float(b @ b))
        if loudness <= len(a) * ECHO_SILENCE**2:
            return 0
        size = len(a) + SLACK_SAMPLES
        likeness = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size) / loudness
        lags = np.array(sorted(range(-SLACK_SAMPLES, SLACK_SAMPLES + 1), key=abs))
        best = float(likeness[lags].max())
        if best < ECHO_LIKENESS:
            return None
        return int(lags[np.argmax(likeness[lags] >= ECHO_AS_GOOD * best)])


@dataclass(frozen=True, slots=True)
class Place:
    """How far a video is decoded: all that it takes to go on, later or elsewhere, as if nothing had happened.

    borders: so many segments are complete.  origin_s: the segment that the pass at work began with; 0: the
    file's start.  seeking: whether the next segment gets a landing of its own.  deaf: without its sound, of
    which ffmpeg can make nothing.
    frames, last_s, longest_gap_s: of the frames handed on.  samples: how much sound was.
    """

    borders: int = 0
    origin_s: float = 0.0
    seeking: bool = True
    deaf: bool = False
    frames: int = 0
    last_s: float = -math.inf
    longest_gap_s: float = 0.0
    samples: int = 0
    echo: Echo = field(default_factory=Echo)

    def next_pass(self, segment_s: float) -> Place:
        """Where the next pass begins: with a segment, or once more where the one before began."""
        return replace(self, origin_s=self.borders * segment_s) if self.seeking and self.borders else self


class Gate:
    """Stands between what a pass decodes and who gets it: lets nothing through twice, and at each border
    waits until pictures and sound are complete up to it.

    place: as `Place.next_pass` says.  segment_s: infinite for a video that has no segments.  on_place: called
    at each border within a pass, when everything before it, and nothing else, has been handed on.
    """

    def __init__(
        self,
        place: Place,
        segment_s: float,
        on_frames: FrameSink,
        on_sound: SoundSink,
        on_place: Callable[[Place], object],
        *,
        silent: bool,
    ) -> None:
        self.place = place
        self._segment_s = segment_s
        self._on_frames = on_frames
        self._on_sound = on_sound
        self._on_place = on_place
        self._silent = silent
        self._unsure = place.seeking and place.origin_s > 0
        self._heard = Echo()  # what came again
        self._frames: list[FrameBatch] = []  # held back, as is the sound
        self._sound: list[NDArray[np.int16]] = []
        self._position = self.first_sample

    @property
    def landing_s(self) -> float | None:
        """Where ffmpeg is to land at the latest; None: at the start of the file."""
        if self.place.origin_s <= 0:
            return None
        return self.place.origin_s - min(OVERLAP_S, self._segment_s / 2)

    @property
    def first_sample(self) -> int:
        """The first sample that this pass has to bring."""
        if self.place.origin_s <= 0:
            return 0
        return max(0, round(self.place.origin_s * SOUND_RATE_HZ) - ECHO_SAMPLES)

    def take_frames(self, batch: FrameBatch) -> None:
        """The next frames of the pass. Raises Unseekable if it landed too far away to be worth it."""
        if self._unsure and batch.times_s[0] < (self.landing_s or 0.0) - self._segment_s / 2:
            raise Unseekable
        old = int(np.searchsorted(batch.times_s, self.place.last_s, side="right"))
        if old and self._unsure:
            self._heard = self._heard.and_frames(FrameBatch(batch.times_s[:old], batch.luma[:old]))
        if old < len(batch.times_s):
            self._frames.append(FrameBatch(batch.times_s[old:], batch.luma[old:]))
        self._release()

    def take_sound(self, samples: NDArray[np.int16]) -> None:
        """The next samples of the pass, without gaps from `first_sample` on."""
        old = min(max(self.place.samples - self._position, 0), len(samples))
        self._position += len(samples)
        if old and self._unsure:
            self._heard = self._heard.and_sound(samples[:old])
        if old < len(samples):
            self._sound.append(samples[old:])
        self._release()

    def is_due(self, pictures_s: float, sound_s: float) -> bool:
        """Whether a pass that has come so far must hand over what it has: see `arrive`."""
        until_s = self.place.origin_s if self._unsure else self._border_s
        return self._complete(pictures_s, sound_s, until_s)

    def arrive(self, pictures_s: float, sound_s: float) -> None:
        """The pass has handed over all it has, and `is_due`.

        Raises Unseekable if this landing led elsewhere, SegmentEnded if the next segment needs a new one.
        """
        if self._unsure:
            self._trust()
        while not self._unsure and self._complete(pictures_s, sound_s, self._border_s):
            waited_in_vain = min(pictures_s, math.inf if self._silent else sound_s) < self._border_s
            seeking = self.place.seeking and not waited_in_vain
            self.place = replace(self.place, borders=self.place.borders + 1, seeking=seeking)
            self._on_place(self.place)
            if seeking:
                raise SegmentEnded
            self._release()

    def finish(self) -> None:
        """The file has ended. Raises Unseekable if this landing led elsewhere."""
        if self._unsure:
            self._trust()
        self._release(to_the_end=True)

    @property
    def _border_s(self) -> float:
        return (self.place.borders + 1) * self._segment_s

    def _complete(self, pictures_s: float, sound_s: float, until_s: float) -> bool:
        """Whether pictures and sound have come so far, or one of them so much farther that the other will
        not.
        """
        if self._silent:
            return pictures_s >= until_s
        return min(pictures_s, sound_s) >= until_s or max(pictures_s, sound_s) >= until_s + PATIENCE_S

    def _trust(self) -> None:
        """The echo is complete: from now on this pass counts, if it is what it should be."""
        echo = self.place.echo
        lag = echo.lag_of(self._heard)
        if lag is None or not echo.has_frames_of(self._heard):
            raise Unseekable
        self._unsure = False
        self._position += lag
        begin = max(0, len(self._heard.sound) - lag)
        self._sound = [np.concatenate((self._heard.sound, *self._sound))[begin:]]
        self._release()

    def _release(self, *, to_the_end: bool = False) -> None:
        if self._unsure:
            return
        border_s = math.inf if to_the_end else self._border_s
        held, self._frames = self._frames, []
        for batch in held:
            inside = int(np.searchsorted(batch.times_s, border_s))
            if inside:
                self._hand_on(FrameBatch(batch.times_s[:inside], batch.luma[:inside]))
            if inside < len(batch.times_s):
                self._frames.append(FrameBatch(batch.times_s[inside:], batch.luma[inside:]))
        self._release_sound(border_s)

    def _release_sound(self, border_s: float) -> None:
        room = None if border_s == math.inf else round(border_s * SOUND_RATE_HZ) - self.place.samples
        held, self._sound = self._sound, []
        for samples in held:
            inside = samples if room is None else samples[:room]
            if len(inside):
                self._on_sound(inside)
                echo = self.place.echo.and_sound(inside)
                self.place = replace(self.place, samples=self.place.samples + len(inside), echo=echo)
            if len(inside) < len(samples):
                self._sound.append(samples[len(inside) :])
            room = None if room is None else room - len(inside)

    def _hand_on(self, batch: FrameBatch) -> None:
        self._on_frames(batch)
        known = batch.times_s
        if self.place.frames:
            known = np.concatenate(([self.place.last_s], known))
        self.place = replace(
            self.place,
            frames=self.place.frames + len(batch.times_s),
            last_s=float(batch.times_s[-1]),
            longest_gap_s=max(self.place.longest_gap_s, float(np.diff(known).max(initial=0.0))),
            echo=self.place.echo.and_frames(batch),
        )


#: All that a `Place` is made of: what `inspector.freezing` needs to know to keep one.
PLACE_PARTS: Final = (Place, Echo)
