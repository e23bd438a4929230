"""How numbers, moments and faults are said to people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from inspector.api.documents import REMEDIES
from inspector.errors import RejectReason
from inspector.model import MediaInfo, State, Verdict, VideoStatus
from inspector.store.attempts import AttemptOutcome

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")

FAULTS: Final[dict[RejectReason, str]] = {
    RejectReason.EMPTY: "The file is empty",
    RejectReason.NOT_MEDIA: "The file is no video",
    RejectReason.NO_VIDEO_STREAM: "The file has no picture",
    RejectReason.DISALLOWED_FORMAT: "Files of this kind are not opened",
    RejectReason.TOO_LARGE_BYTES: "The file is too large",
    RejectReason.TOO_LARGE_PIXELS: "The picture is too large",
    RejectReason.TOO_MANY_STREAMS: "The file has too many streams",
    RejectReason.ZERO_DIMENSIONS: "The picture has no size",
    RejectReason.TOO_LONG: "The video is too long",
    RejectReason.TOO_SHORT: "The video is too short",
    RejectReason.UNREADABLE: "The file is damaged",
}

#: What a state means to somebody who waits.
STATES: Final[dict[State, str]] = {
    State.PENDING: "in the bucket, not looked at yet",
    State.QUEUED: "waits for a worker",
    State.PROCESSING: "is being inspected",
    State.DONE: "inspected",
    State.REJECTED: "is no video we accept",
    State.FAILED: "could not be inspected",
    State.REMOVED: "its object is gone",
}

#: How an attempt ended.
OUTCOMES: Final[dict[AttemptOutcome, str]] = {
    AttemptOutcome.DONE: "inspected",
    AttemptOutcome.REJECTED: "rejected",
    AttemptOutcome.FAILED: "failed, and it was the last",
    AttemptOutcome.RETRIED: "failed, to be tried again",
    AttemptOutcome.RELEASED: "handed back, for no fault of the video",
    AttemptOutcome.LOST: "the worker fell silent",
    AttemptOutcome.SUPERSEDED: "given up, the object was overwritten",
    AttemptOutcome.REMOVED: "given up, the object was gone",
}

VERDICTS: Final[dict[Verdict, str]] = {
    Verdict.DUPLICATE: "nearly all of both is the same",
    Verdict.CONTAINED: "one lies within the other",
    Verdict.PARTIAL: "they share some stretches",
    Verdict.COMMON: "they share only what many others share too",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a video: in a few words, in more, and what can be done."""

    title: str
    detail: str
    remedy: str


def trouble_of(status: VideoStatus) -> Trouble | None:
    """What is wrong, if anything is."""
    if status.reason is None and status.error is None:
        return None
    detail = status.error or ""
    if status.state is State.REJECTED and status.reason in list(RejectReason):
        reason = RejectReason(status.reason)
        return Trouble(FAULTS[reason], detail, REMEDIES[reason])
    if status.state is State.FAILED:
        attempts = "Its only attempt" if status.attempts == 1 else f"All {status.attempts} attempts"
        remedy = (
            "Once the cause is gone, inspect it again: on the page System all that failed can be redriven."
        )
        return Trouble(f"{attempts} failed", detail, remedy)
    return Trouble("The last attempt failed", detail, "It is tried again by itself.")


def clock(seconds: float | None) -> str:
    """A place in a video: 0:03.4, 12:07.0, 1:02:33.5."""
    if seconds is None:
        return "–"
    tenths = round(max(seconds, 0.0) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{tenths // 10:02}.{tenths % 10}"
    return f"{minutes}:{tenths // 10:02}.{tenths % 10}"


def duration(seconds: float | None) -> str:
    """A duration, as precise as it matters: 8.2 s, 4 min 12 s, 1 h 48 min."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def size(size_bytes: int | None) -> str:
    """In units of 1,000, three digits: 812 B, 12.3 MB."""
    if size_bytes is None:
        return "unknown"
    value, unit = float(size_bytes), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.3g} {_UNITS[unit]}"


def percent(share: float) -> str:
    """A share of one; 100 % only where nothing is left to wish for."""
    return "100 %" if share >= 0.9995 else f"{min(round(share * 100), 99)} %"


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the second."""
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def media_facts(media: MediaInfo) -> str:
    """A video in a line: 1 min 4 s, 1920 × 1080, h264, aac."""
    sound = media.audio.codec if media.audio else "no sound"
    return f"{duration(media.duration_s)}, {media.width} × {media.height}, {media.video_codec}, {sound}"


def bare_name(key: str) -> str:
    """The last part of a key, which people know a file by."""
    return key.rstrip("/").rpartition("/")[2] or key


def folder(key: str) -> str:
    """What stands before it, the slash included."""
    return key.removesuffix(bare_name(key)) if key.endswith(bare_name(key)) else ""
