"""Decodes a video once: small frames with their own times, sound in its place, and progress on the way.

A long one is decoded in segments, so that another attempt can go on where this one stops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from inspector.errors import MediaRejected, RejectReason, ToolFailed
from inspector.media.graph import FRAME_TIMES, PIXELS, SAMPLES, SOUND_TIMES, decoding_arguments, zero_of
from inspector.media.opening import SHORTEST_S
from inspector.media.reading import is_about_media, read_by_tool
from inspector.media.segments import Gate, Place, SegmentEnded, Unseekable
from inspector.media.streams import Frames, FrameSink, Sound, SoundSink
from inspector.media.tool import Sink, never
from inspector.model import SOUND_RATE_HZ, MediaInfo, Progress
from inspector.settings import Settings

PROGRESS_PACE_S: Final = 0.5

#: A file is truncated if it ends so much before the duration it declares: estimates are off by less.
MISSING_S: Final = 2.0
MISSING_SHARE: Final = 0.05
#: What ffmpeg's demuxers say when a file ends in the middle of something.
CUT_OFF: Final = ("partial file", "File ended prematurely")


@dataclass(frozen=True, slots=True)
class Decoded:
    """How a decoding pass ended.

    duration_s: where the last frame, or the sound if it is longer, ended; from the container's start time.
    truncated: whether the file ends clearly before the duration it declares, or says itself that it is cut.
    """

    duration_s: float
    frames: int
    sound_s: float
    truncated: bool


def decode_media(
    path: Path,
    media: MediaInfo,
    settings: Settings,
    *,
    on_frames: FrameSink,
    on_sound: SoundSink,
    on_progress: Callable[[Progress], object],
    cancelled: Callable[[], bool] = never,
    place: Place | None = None,
    on_place: Callable[[Place, float], object] = lambda place, done: None,
) -> Decoded:
    """Decode the chosen streams of a video, once, as far as they can be decoded.

    on_frames: gets `FrameBatch`es of about 256 frames: every frame of the video, upright, at its presentation
    time in seconds from the container's start time, strictly ascending.
    on_sound: gets int16 arrays (n,): mono at SOUND_RATE_HZ, without gaps from the container's start time.
    on_progress: at most twice a second, and once at the end. The fraction stays 0 while the duration is
    unknown.
    place, on_place: a video longer than `segment_s` is decoded in segments (see `inspector.media.segments`).
    At the end of each, when the frames and sound before it and no others have been handed on, `on_place` gets
    the place, and the share of the video that is done; who calls again with that place gets the rest of them.
    All callables are called in the caller's thread.

    Raises MediaRejected (unreadable, too short, too long), ToolFailed and its kind where trying again makes
    sense, Interrupted, and what the callables raise.
    """
    reporter = _Reporter(on_progress, media.duration_s, place)
    decoding = _Decoding(path, media, settings, on_frames, on_sound, on_place, reporter.advance, cancelled)
    decoded = decoding.run(place or Place(seeking=media.duration_s is not None))
    reporter.finish()
    return decoded


def plan_of(media: MediaInfo, settings: Settings) -> str:
    """All that a place depends on besides the file: what was decoded in another way is not gone on with."""
    arguments = decoding_arguments(Path("/video"), media, settings, landing_s=0)
    return repr((settings.segment_s, arguments))


class _Decoding:
    """One video, pass after pass, until one of them comes to its end."""

    def __init__(
        self,
        path: Path,
        media: MediaInfo,
        settings: Settings,
        on_frames: FrameSink,
        on_sound: SoundSink,
        on_place: Callable[[Place, float], object],
        on_position: Callable[[float], object],
        cancelled: Callable[[], bool],
    ) -> None:
        self._path = path
        self._media = media
        self._settings = settings
        self._on_frames = on_frames
        self._on_sound = on_sound
        self._on_place = on_place
        self._on_position = on_position
        self._cancelled = cancelled
        short = media.duration_s is not None and media.duration_s <= settings.segment_s
        self._segment_s = math.inf if short else settings.segment_s
        self._place = Place()

    def run(self, place: Place) -> Decoded:
        """Decode what comes after a place."""
        self._place = place
        while True:
            try:
                return self._pass(self._place.next_pass(self._segment_s))
            except SegmentEnded:
                continue
            except Unseekable:
                self._place = replace(self._place, seeking=False)

    def _pass(self, place: Place) -> Decoded:
        """One run of ffmpeg. Raises SegmentEnded, Unseekable; returns at the end of the file."""
        media = replace(self._media, audio_index=None) if place.deaf else self._media
        silent = media.audio_index is None
        gate = Gate(place, self._segment_s, self._on_frames, self._on_sound, self._reach, silent=silent)
        longest_s = self._settings.max_duration_s
        zero_s = zero_of(media, gate.landing_s)
        first = gate.first_sample
        frames = Frames(gate.take_frames, max_duration_s=longest_s, zero_s=zero_s)
        sound = Sound(gate.take_sound, max_duration_s=longest_s, zero_s=zero_s, first_sample=first)
        complaints = self._run(media, gate, frames, sound)
        if not (frames.started or sound.started or silent or place.origin_s):
            # A sound track that ffmpeg has no decoder for stops it before the first frame.
            return self._pass(replace(place, deaf=True))
        frames.finish()
        sound.finish()
        gate.finish()
        return _sum_up(gate.place, frames.last_duration_s, complaints, media, self._settings)

    def _reach(self, place: Place) -> None:
        self._place = place
        duration_s = self._media.duration_s
        self._on_place(place, min(1.0, place.borders * self._segment_s / duration_s) if duration_s else 0.0)

    def _run(self, media: MediaInfo, gate: Gate, frames: Frames, sound: Sound) -> str:
        """ffmpeg, and its complaints; that the media is damaged is no error yet."""

        def then_look(take: Sink) -> Sink:
            def look(data: bytes) -> None:
                take(data)
                self._on_position(max(frames.seen_s, sound.end_s))
                if gate.is_due(frames.ready_s, sound.end_s):
                    frames.finish()
                    sound.finish()
                    gate.arrive(frames.ready_s, sound.end_s)

            return look

        sinks = {PIXELS: frames.take_pixels, FRAME_TIMES: frames.take_times}
        if media.audio_index is not None:
            sinks |= {SAMPLES: sound.take_samples, SOUND_TIMES: sound.take_times}
        settings = self._settings
        deadline_s = settings.analysis_deadline_s(media.duration_s)
        try:
            return read_by_tool(
                self._path,
                decoding_arguments(self._path, media, settings, landing_s=gate.landing_s),
                settings,
                deadline_s=deadline_s,
                cpu_s=deadline_s * (settings.decoder_threads + 1),
                stall_s=settings.stall_timeout_s,
                sinks={name: then_look(take) for name, take in sinks.items()},
                cancelled=self._cancelled,
            )
        except ToolFailed as exc:
            if not is_about_media(exc):
                raise
            return exc.stderr


def _sum_up(
    place: Place, last_duration_s: float, complaints: str, media: MediaInfo, settings: Settings
) -> Decoded:
    if place.frames == 0:
        raise MediaRejected(RejectReason.UNREADABLE, "not one frame can be decoded")
    sound_s = place.samples / SOUND_RATE_HZ
    duration_s = max(_end_of_pictures(place, last_duration_s, media.duration_s), sound_s)
    if duration_s < max(settings.min_duration_s, SHORTEST_S):
        raise MediaRejected(RejectReason.TOO_SHORT, f"{duration_s:.3f} s can be decoded")
    return Decoded(
        duration_s=duration_s,
        frames=place.frames,
        sound_s=sound_s,
        truncated=_ends_early(duration_s, media.duration_s) or any(words in complaints for words in CUT_OFF),
    )


def _end_of_pictures(place: Place, last_duration_s: float, declared_s: float | None) -> float:
    """When the last frame ends: a frame after it, or where the file says, if a frame stood so long before.

    Slides change every few seconds, and nothing but the declared duration tells how long the last one stays.
    """
    end_s = place.last_s + last_duration_s
    if declared_s is not None and end_s < declared_s <= end_s + place.longest_gap_s:
        return declared_s
    return end_s


def _ends_early(duration_s: float, declared_s: float | None) -> bool:
    return declared_s is not None and declared_s - duration_s > max(MISSING_S, MISSING_SHARE * declared_s)


class _Reporter:
    """Turns positions in the media into progress, at most twice a second. It never goes back."""

    def __init__(
        self, on_progress: Callable[[Progress], object], duration_s: float | None, place: Place | None
    ) -> None:
        self._on_progress = on_progress
        self._duration_s = duration_s
        self._started = self._reported = time.monotonic()
        self._done_before = self._share(place.last_s) if place else 0.0
        self._fraction = self._done_before

    def advance(self, position_s: float) -> None:
        """ffmpeg has come so far."""
        now = time.monotonic()
        if now - self._reported < PROGRESS_PACE_S:
            return
        self._reported = now
        self._fraction = max(self._fraction, self._share(position_s))
        self._on_progress(Progress(self._fraction, self._eta_s(now - self._started)))

    def finish(self) -> None:
        self._on_progress(Progress(1.0, 0.0))

    def _share(self, position_s: float) -> float:
        return min(1.0, max(0.0, position_s) / self._duration_s) if self._duration_s else 0.0

    def _eta_s(self, elapsed_s: float) -> float | None:
        done = self._fraction - self._done_before
        return elapsed_s * (1 - self._fraction) / done if done > 0 else None
