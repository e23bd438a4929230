"""What people see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from inspector.model.jobs import State
from inspector.model.matches import Decision, Evidence, Segment, Verdict
from inspector.model.media import MediaInfo


@dataclass(frozen=True, slots=True)
class DuplicateStatus:
    """One other video that shares material with this one; times of `segments` are a = here, b = there.

    decision: what a person said of the pair.
    """

    video_id: int
    bucket: str
    key: str
    verdict: Verdict
    score: float
    speed: float
    segments: tuple[Segment, ...]
    evidence: Evidence
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class VideoStatus:
    """Everything `/status` says about one video, at one revision.

    common: the videos that share nothing with it but what many unrelated ones share; no duplicates.
    dismissed: those of which a person said that they are no match.
    """

    video_id: int | None
    content_id: int | None
    bucket: str
    key: str
    state: State
    revision: int
    size_bytes: int | None = None
    sha256: str | None = None
    progress: float = 0.0
    eta_s: float | None = None
    attempts: int = 0
    reason: str | None = None
    error: str | None = None
    truncated: bool = False
    media: MediaInfo | None = None
    scene_cuts: tuple[float, ...] = ()
    duplicates: tuple[DuplicateStatus, ...] = ()
    common: tuple[DuplicateStatus, ...] = ()
    dismissed: tuple[DuplicateStatus, ...] = ()
    created_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One visible change of a video, as the log has it; positions grow in the order of the commits."""

    position: int
    key: str
    state: State
    revision: int
    progress: float
    eta_s: float | None
    attempts: int
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LoggedChanges:
    """A piece of the log. oldest, newest: the positions it holds of all buckets; 1 and 0 if it is empty."""

    oldest: int
    newest: int
    changes: tuple[LoggedChange, ...]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker process, as its last heartbeat described it."""

    worker_id: str
    host: str
    pid: int
    doing: str
    heartbeat_age_s: float
    breaker_open: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """How the inspector is doing as a whole.

    oldest_queued_s: of the uploads; a backlog may wait.
    sweep_blocked: why removals wait for a confirmation.  monitor_age_s: since a monitor's last round; None if
    none was ever run.
    """

    jobs: dict[State, int]
    oldest_queued_s: float | None
    workers: tuple[WorkerStatus, ...]
    sweep_age_s: float | None
    sweep_blocked: str | None
    monitor_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A notification: what is shown of this video, or of all videos with this content, has changed."""

    kind: Literal["video", "content"]
    id: int
