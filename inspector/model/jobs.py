"""The work of inspecting one video, and the processes that do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

from inspector.model.objects import ObjectState


class State(StrEnum):
    """Where a video's job stands. `pending` is never stored: in the bucket, but not yet seen by us."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"
    REMOVED = "removed"

    @property
    def final(self) -> bool:
        """Whether only a new event, or a redrive, changes it again."""
        return self in (State.DONE, State.REJECTED, State.FAILED, State.REMOVED)


class Priority(IntEnum):
    """Which jobs are done first. BACKLOG: what has long been there, and may wait behind what comes now."""

    UPLOAD = 0
    BACKLOG = 10


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's time-limited right to inspect one video. A stale token changes nothing any more."""

    video_id: int
    token: str
    bucket: str
    key: str
    object: ObjectState
    attempt: int
    max_attempts: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an inspection is: 0..1, and the seconds it will still take, where that can be said."""

    fraction: float
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A process that the supervisor keeps running.

    env: added to the environment it inherits.  log_file: takes its output; None: it shares ours.
    pulse: a file that the process touches while it is well.  silent_s: without a touch for so long it hangs.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    log_file: Path | None = None
    pulse: Path | None = None
    silent_s: float = 0.0
