"""The project's words as types: frozen dataclasses that travel between the rooms.

Arrays: times are float64 seconds from the container's start time, ascending, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]
HashArray = NDArray[np.uint64]
SoundArray = NDArray[np.uint32]

FRAME_HEIGHT: Final = 36  # pixels of the small frames that fingerprints are made of
FRAME_WIDTH: Final = 64
SOUND_RATE_HZ: Final = 11025  # mono samples; musical content that survives re-encoding lies below 5 kHz

#: Of copies with equal tokens 99 in 100 differ in no more of their checked bits, of unrelated contents 12 to
#: 46, by kind.
MOST_CHECKED_BITS: Final = 10

#: Version of fingerprints, landmarks and scores together. Raise it whenever one of them changes its meaning.
ALGORITHM: Final = 4
#: Since this version fingerprints are as they would be made today; of older contents the bytes are needed.
#: Raise it to ALGORITHM with every change of fingerprints.
SEEN_SINCE: Final = 4
#: Since this version fingerprints may be compared with those of today, until they are brought up to date:
#: better than not at all.  Raise it to ALGORITHM where older ones cannot be read.
COMPARABLE_SINCE: Final = 4


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


class Verdict(StrEnum):
    """What a match amounts to (see `inspector.matching.verdict`)."""

    DUPLICATE = "duplicate"
    CONTAINED = "contained"
    PARTIAL = "partial"
    COMMON = "common"


class Decision(StrEnum):
    """What a person says of a pair, or of a stretch (COMMON, NOT_COMMON). UNDO takes a decision back."""

    DUPLICATE = "duplicate"
    NOT_A_MATCH = "not_a_match"
    SAME_SOURCE = "same_source"
    COMMON = "common"
    NOT_COMMON = "not_common"
    UNDO = "undo"


class View(IntEnum):
    """What part of a picture a hash shows: all of it, its middle in portrait (or landscape) shape, or a
    picture within the picture.
    """

    WHOLE = 0
    CENTRE = 1
    INSET = 2


class Library(IntEnum):
    """Contents of one library are never candidates for those of the other."""

    BUCKET = 0
    SCAN = 1


class Priority(IntEnum):
    """Which jobs are done first. BACKLOG: what has long been there, and may wait behind what comes now."""

    UPLOAD = 0
    BACKLOG = 10


# ---------------------------------------------------------------- the bucket


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What S3 says lies under a key now. The ETag tells versions apart, never contents."""

    size_bytes: int
    etag: str
    last_modified: datetime
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class FileState:
    """How a local file looks from outside: enough to tell that it has changed."""

    size_bytes: int
    mtime_ns: int


class EventKind(StrEnum):
    """What a notification hints at. Ours are REDRIVE, a dead-lettered job to be inspected again, and BACKLOG,
    what a backfill has found in the bucket.
    """

    CREATED = "created"
    REMOVED = "removed"
    REDRIVE = "redrive"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """A hint to look at one key."""

    bucket: str
    key: str
    kind: EventKind
    sequencer: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as received: the receipt handle deletes this receive of it, and no other.

    lag_s: how long after it was sent it was received for the first time, if the queue says so.
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    lag_s: float | None = None


# ---------------------------------------------------------------- looking at a video


@dataclass(frozen=True, slots=True)
class AudioInfo:
    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What ffprobe says about a file, as far as we use it."""

    container: str
    duration_s: float | None
    start_time_s: float
    video_codec: str
    video_index: int
    width: int
    height: int
    rotation_deg: int
    frame_rate: float | None
    variable_frame_rate: bool
    size_bytes: int
    audio: AudioInfo | None = None
    audio_index: int | None = None
    bit_rate_bps: int | None = None

    @property
    def aspect(self) -> float:
        """Width by height of the picture as it is shown upright, in pixels."""
        sideways = self.rotation_deg in (90, 270)
        return self.height / self.width if sideways else self.width / self.height


@dataclass(frozen=True, slots=True)
class Essence:
    """What the chosen streams of a file hold, undecoded: the same in every container of the same packets.

    digest: sha256 of codecs, sizes, rotation and packets.  packet_times_ms: when packets evenly spread over
    the streams are presented, from the container's start.  duration_ms: what the container declares.
    """

    digest: bytes
    packet_times_ms: tuple[int, ...]
    duration_ms: int


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Consecutive decoded frames. times_s: (n,) float64; luma: (n, 36, 64) uint8, full range not assumed."""

    times_s: FloatArray
    luma: ByteArray


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What was seen and heard in a content; all that matching needs.

    cuts_s: (c,) presentation time of the first frame of each new shot.
    frame_times_s, frame_hashes, frame_novelty: (f,) sampled frames; the 64-bit hash of each, and how much it
    differs from the sampled frame before it, 0..1 (float32).
    motion_hashes: (f,) the same hash of what changed at each sampled frame within a second; 0: nothing did.
    sound_times_s, sound_hashes, sound_weight: (a,) audio sub-fingerprints; 32 bits each, and how much each
    says, 0..1 (float32; silence and steady noise say nothing).
    view_frames, view_kinds, view_hashes, view_motion: (v,) parts of hashed frames, by kind, then frame: the
    index of the frame (int32), which part (`View`, uint8; never WHOLE), and its hashes as of whole frames.
    """

    duration_s: float
    cuts_s: FloatArray
    frame_times_s: FloatArray
    frame_hashes: HashArray
    frame_novelty: NDArray[np.float32]
    motion_hashes: HashArray
    sound_times_s: FloatArray
    sound_hashes: SoundArray
    sound_weight: NDArray[np.float32]
    view_frames: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    view_kinds: ByteArray = field(default_factory=lambda: np.zeros(0, np.uint8))
    view_hashes: HashArray = field(default_factory=lambda: np.zeros(0, np.uint64))
    view_motion: HashArray = field(default_factory=lambda: np.zeros(0, np.uint64))
    truncated: bool = False
    algorithm: int = ALGORITHM


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Tokens for the inverted index; (n,) each.

    tokens: int64, positive and below 2**31.  times_ms: int64, where in the content.  checks: uint32, further
    bits; where tokens are equal, at most `MOST_CHECKED_BITS` of these may differ.
    """

    tokens: IntArray
    times_ms: IntArray
    checks: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Postings:
    """Where the query's tokens occur in other contents; one row an occurrence, all arrays (n,) int64.

    query_times_ms: where the token stands in the query; content_ids, times_ms: where it stands in the index.
    """

    tokens: IntArray
    query_times_ms: IntArray
    content_ids: IntArray
    times_ms: IntArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """A content that shares landmarks with the query at a consistent offset (reference minus query)."""

    content_id: int
    votes: float
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Segment:
    """`[a_start_s, a_end_s)` of one content lies on `[b_start_s, b_end_s)` of the other."""

    a_start_s: float
    a_end_s: float
    b_start_s: float
    b_end_s: float
    score: float

    @property
    def speed(self) -> float:
        """Seconds of b that pass per second of a."""
        return (self.b_end_s - self.b_start_s) / max(self.a_end_s - self.a_start_s, 1e-9)

    @property
    def order(self) -> tuple[float, float]:
        """Segments are listed by where they start here, then there; what differs by rounding is equal."""
        return round(self.a_start_s, 6), round(self.b_start_s, 6)

    def flipped(self) -> Segment:
        """The same segment seen from the other side."""
        return Segment(self.b_start_s, self.b_end_s, self.a_start_s, self.a_end_s, self.score)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much each kind of evidence speaks for a match; counts, and its share of the score.

    cuts, frames, sounds: agreeing items.  absolute_cuts: cuts at equal absolute times in both contents.
    identical_streams: the same packets in another container.
    weights: what each kind contributed, by name; natural-log odds, which add up to those of the score.
    """

    cuts: int = 0
    frames: int = 0
    sounds: int = 0
    absolute_cuts: int = 0
    identical_bytes: bool = False
    identical_streams: bool = False
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """Two contents share material. Seen from a; `flipped` shows it from b."""

    segments: tuple[Segment, ...]
    speed: float
    score: float
    verdict: Verdict
    evidence: Evidence

    def flipped(self) -> Match:
        """The same match seen from the other side."""
        segments = tuple(sorted((s.flipped() for s in self.segments), key=lambda s: s.order))
        return Match(segments, 1 / self.speed, self.score, self.verdict, self.evidence)


def identical_match(duration_s: float) -> Match:
    """The match of two files with the same bytes: all of one lies on all of the other."""
    whole = Segment(0.0, duration_s, 0.0, duration_s, 1.0)
    return Match((whole,), 1.0, 1.0, Verdict.DUPLICATE, Evidence(identical_bytes=True))


# ---------------------------------------------------------------- jobs


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


# ---------------------------------------------------------------- recordings


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


# ---------------------------------------------------------------- processes


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


# ---------------------------------------------------------------- what people see


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
