"""Decodes a video once: small frames with their own times, sound in its place, and progress on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from inspector.errors import MediaRejected, RejectReason, ToolFailed
from inspector.media.graph import FRAME_TIMES, PIXELS, SAMPLES, SOUND_TIMES, decoding_arguments
from inspector.media.opening import SHORTEST_S
from inspector.media.reading import is_about_media, read_by_tool
from inspector.media.streams import Frames, FrameSink, Sound, SoundSink
from inspector.media.tool import Sink, never
from inspector.model import MediaInfo, Progress
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
) -> Decoded:
    """Decode the chosen streams of a video in one pass of ffmpeg, as far as they can be decoded.

    on_frames: gets `FrameBatch`es of about 256 frames: every frame of the video, upright, at its presentation
    time in seconds from the container's start time, strictly ascending.
    on_sound: gets int16 arrays (n,): mono at SOUND_RATE_HZ, without gaps from the container's start time.
    on_progress: at most twice a second, and once at the end. The fraction stays 0 while the duration is
    unknown.  All three are called in the caller's thread.

    Raises MediaRejected (unreadable, too short, too long), ToolFailed and its kind where trying again makes
    sense, Interrupted, and what the callables raise.
    """
    frames = Frames(on_frames, max_duration_s=settings.max_duration_s)
    sound = Sound(on_sound, max_duration_s=settings.max_duration_s)
    reporter = _Reporter(on_progress, media.duration_s)
    sinks = {
        PIXELS: frames.take_pixels,
        FRAME_TIMES: reporter.after(frames.take_times, lambda: frames.seen_s),
        SAMPLES: reporter.after(sound.take_samples, lambda: sound.end_s),
        SOUND_TIMES: sound.take_times,
    }
    complaints = _run(path, media, settings, sinks, cancelled)
    if not frames.started and not sound.started and media.audio_index is not None:
        # A sound track that ffmpeg has no decoder for stops it before the first frame.
        complaints = _run(path, replace(media, audio_index=None), settings, sinks, cancelled)
    frames.finish()
    sound.finish()
    decoded = _sum_up(frames, sound, complaints, media, settings)
    reporter.finish()
    return decoded


def _run(
    path: Path,
    media: MediaInfo,
    settings: Settings,
    sinks: Mapping[str, Sink],
    cancelled: Callable[[], bool],
) -> str:
    """One run of ffmpeg, and its complaints; that the media is damaged is no error yet."""
    deadline_s = settings.analysis_deadline_s(media.duration_s)
    wanted = sinks if media.audio_index is not None else {n: sinks[n] for n in (PIXELS, FRAME_TIMES)}
    try:
        return read_by_tool(
            path,
            decoding_arguments(path, media, settings),
            settings,
            deadline_s=deadline_s,
            cpu_s=deadline_s * (settings.decoder_threads + 1),
            stall_s=settings.stall_timeout_s,
            sinks=wanted,
            cancelled=cancelled,
        )
    except ToolFailed as exc:
        if not is_about_media(exc):
            raise
        return exc.stderr


def _sum_up(frames: Frames, sound: Sound, complaints: str, media: MediaInfo, settings: Settings) -> Decoded:
    if frames.count == 0:
        raise MediaRejected(RejectReason.UNREADABLE, "not one frame can be decoded")
    duration_s = max(_end_of_pictures(frames, media.duration_s), sound.end_s)
    if duration_s < max(settings.min_duration_s, SHORTEST_S):
        raise MediaRejected(RejectReason.TOO_SHORT, f"{duration_s:.3f} s can be decoded")
    return Decoded(
        duration_s=duration_s,
        frames=frames.count,
        sound_s=sound.end_s,
        truncated=_ends_early(duration_s, media.duration_s) or any(words in complaints for words in CUT_OFF),
    )


def _end_of_pictures(frames: Frames, declared_s: float | None) -> float:
    """When the last frame ends: a frame after it, or where the file says, if a frame stood so long before.

    Slides change every few seconds, and nothing but the declared duration tells how long the last one stays.
    """
    end_s = frames.last_s + frames.last_duration_s
    if declared_s is not None and end_s < declared_s <= end_s + frames.longest_gap_s:
        return declared_s
    return end_s


def _ends_early(duration_s: float, declared_s: float | None) -> bool:
    return declared_s is not None and declared_s - duration_s > max(MISSING_S, MISSING_SHARE * declared_s)


class _Reporter:
    """Turns presentation times into progress, at most twice a second."""

    def __init__(self, on_progress: Callable[[Progress], object], duration_s: float | None) -> None:
        self._on_progress = on_progress
        self._duration_s = duration_s
        self._started = self._reported = time.monotonic()
        self._fraction = 0.0

    def after(self, sink: Sink, position_s: Callable[[], float]) -> Sink:
        """The sink, followed by a look at how far it has come."""

        def take(data: bytes) -> None:
            sink(data)
            self._advance(position_s())

        return take

    def finish(self) -> None:
        self._on_progress(Progress(1.0, 0.0))

    def _advance(self, position_s: float) -> None:
        now = time.monotonic()
        if now - self._reported < PROGRESS_PACE_S:
            return
        self._reported = now
        if self._duration_s:
            self._fraction = max(self._fraction, min(1.0, position_s / self._duration_s))
        self._on_progress(Progress(self._fraction, self._eta_s(now - self._started)))

    def _eta_s(self, elapsed_s: float) -> float | None:
        if self._fraction <= 0:
            return None
        return elapsed_s * (1 - self._fraction) / self._fraction
