"""What a channel has broadcast, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RecordingState(StrEnum):
    """`orphaned`: its process is gone, and somebody has cleaned up behind it."""

    RUNNING = "running"
    ENDED = "ended"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, told from all others that ever had its number.

    boot: of the machine, and the namespace of the numbers.  started: ticks since that boot.
    """

    host: str
    pid: int
    boot: str
    started: int


@dataclass(frozen=True, slots=True)
class RecordedSegment:
    """A piece of a recording: a video whose second 0 is `start_s` of the stream.

    uploaded_at: None while it is not in the bucket.
    """

    number: int
    key: str
    start_s: float
    end_s: float
    frames: int
    size_bytes: int
    uploaded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordingGap:
    """The source delivered nothing for this stretch of stream time."""

    number: int
    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A stretch of a channel. Stream time 0 is `started_at`; duration_s is how far it has come.

    heartbeat_age_s: since its process gave a sign.  restarts: of ffmpeg.  joined_key: where all of it lies.
    """

    id: int
    bucket: str
    channel: str
    source: str
    state: RecordingState
    note: str | None
    process: ProcessIdentity
    heartbeat_age_s: float
    started_at: datetime
    ended_at: datetime | None
    duration_s: float
    size_bytes: int
    restarts: int
    segments: int
    gaps: int
    missing_s: float
    joined_key: str | None
