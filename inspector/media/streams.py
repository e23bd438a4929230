"""Joins what ffmpeg sends through separate pipes: pixels with their times, samples with theirs.

Bytes arrive in pieces of any size and in any order among the pipes. What is handed on is complete, in order,
and bounded: memory does not grow with the length of the video.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.errors import MediaRejected, RejectReason, ToolFailed
from inspector.model import FRAME_HEIGHT, FRAME_WIDTH, SOUND_RATE_HZ, FrameBatch

FrameSink = Callable[[FrameBatch], object]
SoundSink = Callable[[NDArray[np.int16]], object]

BATCH_FRAMES: Final = 256
FRAME_BYTES: Final = FRAME_HEIGHT * FRAME_WIDTH
SAMPLE_BYTES: Final = 2
CHUNK_BYTES: Final = 4 * SOUND_RATE_HZ * SAMPLE_BYTES  # sound is handed on about four seconds at a time
#: Sound may stand so far off its place before it is moved. Times rounded to milliseconds, and decoders'
#: delays, jitter by less; what compares sound works in steps of 100 ms and more.
SLACK_SAMPLES: Final = SOUND_RATE_HZ // 20
NO_TIME: Final = -(2**63)


class Packet(NamedTuple):
    """One line of ffmpeg's `framecrc` output: when its bytes are presented, and how many they are."""

    start_s: float
    duration_s: float
    size_bytes: int


class Times:
    """Parses the `framecrc` output, as it arrives, into packets.

    Lines read `stream, dts, pts, duration, size, checksum`, in units of the `#tb 0: 1/1000000` before them.
    A packet without a time follows the one before it.  zero_s: what the times are counted from.
    """

    def __init__(self, zero_s: Fraction = Fraction(0)) -> None:
        self._zero_s = zero_s
        self._rest = b""
        self._end = 0
        self._count_in(Fraction(1, 1_000_000))

    def parse(self, data: bytes) -> Iterator[Packet]:
        """The packets whose lines are complete now. Raises ToolFailed on what is no such line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                if line.startswith(b"#tb 0:"):
                    self._count_in(Fraction(line[6:].decode().strip()))
                elif line and not line.startswith(b"#"):
                    yield self._packet(line)
            except (ValueError, ArithmeticError) as exc:
                raise ToolFailed(f"ffmpeg wrote a line that is no packet: {line[:80]!r}") from exc

    def _count_in(self, unit_s: Fraction) -> None:
        """Seconds are whole numbers divided by `_per_s`: as exact as fractions, at a tenth of their cost."""
        self._per_s = unit_s.denominator * self._zero_s.denominator
        self._scale = unit_s.numerator * self._zero_s.denominator
        self._shift = unit_s.denominator * self._zero_s.numerator

    def _packet(self, line: bytes) -> Packet:
        _, _, pts, duration, size, _ = line.split(b",", 5)
        start = self._end if int(pts) == NO_TIME else int(pts)
        lasts = int(duration)
        self._end = start + lasts
        start_s = (start * self._scale + self._shift) / self._per_s
        return Packet(start_s, lasts * self._scale / self._per_s, int(size))


class Frames:
    """Collects pixels and times, and hands on batches of frames with strictly ascending times.

    A frame that is not later than the one before it is dropped: no viewer sees it.
    count, last_s, last_duration_s, longest_gap_s: of the frames handed on; seen_s: the newest time known.
    """

    def __init__(
        self, on_frames: FrameSink, *, max_duration_s: float, zero_s: Fraction = Fraction(0)
    ) -> None:
        self._on_frames = on_frames
        self._max_duration_s = max_duration_s
        self._times = Times(zero_s)
        self._waiting: list[Packet] = []
        self._pixels = bytearray()
        self.started = False
        self.count = 0
        self.seen_s = 0.0
        self.last_s = -math.inf
        self.longest_gap_s = 0.0
        self.last_duration_s = 0.0

    @property
    def ready_s(self) -> float:
        """The time of the newest frame that is complete, whether it has been handed on or not."""
        complete = min(len(self._waiting), len(self._pixels) // FRAME_BYTES)
        return self._waiting[complete - 1].start_s if complete else self.last_s

    def take_pixels(self, data: bytes) -> None:
        """Raw luma, frame after frame."""
        self.started = True
        self._pixels += data
        self._hand_on(at_least=BATCH_FRAMES)

    def take_times(self, data: bytes) -> None:
        """`framecrc` text of the same frames."""
        self._waiting.extend(self._times.parse(data))
        if self._waiting:
            self.seen_s = self._waiting[-1].start_s
        self._hand_on(at_least=BATCH_FRAMES)

    def finish(self) -> None:
        """Hand on what is left, or complete by now."""
        self._hand_on(at_least=1)

    def _hand_on(self, *, at_least: int) -> None:
        count = min(len(self._waiting), len(self._pixels) // FRAME_BYTES)
        if count < at_least:
            return
        packets, self._waiting = self._waiting[:count], self._waiting[count:]
        pixels = bytes(self._pixels[: count * FRAME_BYTES])
        del self._pixels[: count * FRAME_BYTES]
        times_s = np.array([packet.start_s for packet in packets])
        luma = np.frombuffer(pixels, dtype=np.uint8).reshape(count, FRAME_HEIGHT, FRAME_WIDTH)
        self._hand_on_ascending(times_s, luma, packets)

    def _hand_on_ascending(
        self, times_s: NDArray[np.float64], luma: NDArray[np.uint8], packets: list[Packet]
    ) -> None:
        before = np.maximum.accumulate(np.concatenate(([self.last_s], times_s[:-1])))
        later = times_s > before
        if not later.any():
            return
        if not later.all():
            times_s, luma = times_s[later], luma[later]
        if times_s[-1] > self._max_duration_s:
            raise MediaRejected(RejectReason.TOO_LONG, f"more than {self._max_duration_s:g} s")
        self._remember(times_s, packets[int(np.flatnonzero(later)[-1])])
        self._on_frames(FrameBatch(times_s, luma))

    def _remember(self, times_s: NDArray[np.float64], last: Packet) -> None:
        known = times_s if self.count == 0 else np.concatenate(([self.last_s], times_s))
        self.longest_gap_s = max(self.longest_gap_s, float(np.diff(known).max(initial=0.0)))
        self.count += len(times_s)
        self.last_s = float(times_s[-1])
        self.last_duration_s = last.duration_s


class Sound:
    """Collects samples and times, and hands on sound without gaps from the container's time 0, or later.

    first_sample: sound before it is dropped, to the sample.
    Silence fills what is missing, and what overlaps or lies before is dropped. ffmpeg's own way
    (`aresample=async=1:first_pts=0`) starts from 0 again whenever the channels or the sample rate change.
    """

    def __init__(
        self,
        on_sound: SoundSink,
        *,
        max_duration_s: float,
        first_sample: int = 0,
        zero_s: Fraction = Fraction(0),
    ) -> None:
        self._on_sound = on_sound
        self._max_samples = int(max_duration_s * SOUND_RATE_HZ)
        self._times = Times(zero_s)
        self._waiting: deque[Packet] = deque()
        self._samples = bytearray()
        self._placed = bytearray()
        self._first_sample = first_sample
        self._placed_samples = first_sample

    @property
    def started(self) -> bool:
        return self._placed_samples > self._first_sample or len(self._samples) > 0

    @property
    def end_s(self) -> float:
        """Where the sound that was placed ends."""
        return self._placed_samples / SOUND_RATE_HZ

    def take_samples(self, data: bytes) -> None:
        """Mono int16 samples, little-endian."""
        self._samples += data
        self._place()

    def take_times(self, data: bytes) -> None:
        """`framecrc` text of the same samples."""
        self._waiting.extend(self._times.parse(data))
        self._place()

    def finish(self) -> None:
        """Hand on what is left, or placed by now."""
        self._hand_on(at_least=1)

    def _place(self) -> None:
        done = 0
        while self._waiting and done + self._waiting[0].size_bytes <= len(self._samples):
            packet = self._waiting.popleft()
            until = done + packet.size_bytes
            self._place_at(round(packet.start_s * SOUND_RATE_HZ), self._samples[done:until])
            done = until
        del self._samples[:done]

    def _place_at(self, start: int, samples: bytearray) -> None:
        gap = start - self._placed_samples
        if start > self._max_samples:
            raise MediaRejected(RejectReason.TOO_LONG, "its sound goes on for longer than is allowed")
        slack = 0 if 0 < self._placed_samples == self._first_sample else SLACK_SAMPLES
        if gap > slack:
            self._fill(gap)
        elif gap < -slack:
            samples = samples[-gap * SAMPLE_BYTES :]
        self._append(samples)

    def _fill(self, gap: int) -> None:
        chunk = CHUNK_BYTES // SAMPLE_BYTES
        for done in range(0, gap, chunk):
            self._append(bytes(min(chunk, gap - done) * SAMPLE_BYTES))

    def _append(self, samples: bytes | bytearray) -> None:
        self._placed += samples
        self._placed_samples += len(samples) // SAMPLE_BYTES
        self._hand_on(at_least=CHUNK_BYTES)

    def _hand_on(self, *, at_least: int) -> None:
        if len(self._placed) >= at_least:
            placed, self._placed = bytes(self._placed), bytearray()
            self._on_sound(np.frombuffer(placed, dtype="<i2").astype(np.int16, copy=False))
