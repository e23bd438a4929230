"""What the API says and takes, as types; the OpenAPI document is made of them.

Times within a video are seconds from the container's start time, moments ISO 8601 in UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inspector.model import State, Verdict
from inspector.store.attempts import AttemptOutcome
from inspector.store.catalog import Sort
from inspector.store.outbox import DeliveryState, EventKind

MAX_ID = 2**63 - 1
PAGE_LIMIT = 50
MAX_PAGE_LIMIT = 200


class Said(BaseModel):
    """Something that we say."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Asked(BaseModel):
    """Something that we are asked: a name that we do not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProblemDocument(Said):
    """An error (RFC 9457). `type` is stable: compare it.

    outcomes: of decisions that were not accepted, what is wrong with each: `subject`, `error`, `changes`.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    outcomes: list[dict[str, str | list[str] | None]] | None = None


# ---------------------------------------------------------------- videos


class Sound(Said):
    codec: str
    sample_rate_hz: int
    channels: int


class Media(Said):
    """What ffprobe says about the file."""

    container: str
    duration_s: float | None
    start_time_s: float | None
    video_codec: str
    video_index: int
    width: int
    height: int
    rotation_deg: int
    frame_rate: float | None
    variable_frame_rate: bool
    size_bytes: int
    audio: Sound | None
    audio_index: int | None
    bit_rate_bps: int | None


class Fault(Said):
    """What is wrong with a video, and what can be done about it."""

    reason: str
    detail: str | None
    remedy: str | None = None


class Moments(Said):
    """created: when we first saw the key."""

    created: datetime | None
    queued: datetime | None
    started: datetime | None
    finished: datetime | None
    updated: datetime | None


class VideoLinks(Said):
    """status: the short form, with cuts and duplicates in one document."""

    self: str
    cuts: str
    matches: str
    attempts: str
    status: str


class Video(Said):
    """One video. verdict: the strongest of its matches, common ones left out."""

    id: int
    key: str
    bucket: str
    state: State
    progress: float | None
    eta_s: float | None
    verdict: Verdict | None
    total_matches: int = Field(description="Matches that are not common; at most 100 are listed.")
    total_common: int
    total_cuts: int
    size_bytes: int | None
    sha256: str | None
    media: Media | None
    error: Fault | None
    attempts: int
    truncated: bool
    timestamps: Moments
    revision: int
    links: VideoLinks


class VideoPage(Said):
    """next: the address of the next page."""

    videos: list[Video]
    next: str | None


class Cuts(Said):
    """The time of the first frame of each new shot, in seconds."""

    cuts_s: list[float]


class AttemptDocument(Said):
    """One attempt at a video. ended_at, outcome: null while it lasts.

    outcome: besides `done`, `rejected` and `failed`: `retried` (it failed, another one follows), `released`
    (handed back for no fault of the video), `lost` (its worker fell silent), `superseded` (the object was
    overwritten), `removed` (it is gone).
    """

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    reason: str | None


class Attempts(Said):
    attempts: list[AttemptDocument]


class MatchSegment(Said):
    """`[start_s, end_s)` of this video lies on `[other_start_s, other_end_s)` of the other."""

    start_s: float
    end_s: float
    other_start_s: float
    other_end_s: float
    score: float


class MatchEvidence(Said):
    """How many items of each kind agree; weights add up to the log odds of the score."""

    cuts: int
    frames: int
    sounds: int
    absolute_cuts: int
    identical_bytes: bool
    identical_streams: bool
    weights: dict[str, float]


class OtherVideo(Said):
    id: int
    key: str
    bucket: str


class Matched(Said):
    """Another video that shares material with this one. speed: seconds of the other per second of this."""

    video: OtherVideo
    verdict: Verdict
    score: float
    speed: float
    segments: list[MatchSegment]
    evidence: MatchEvidence


class MatchPage(Said):
    matches: list[Matched]
    next: str | None


class Source(Said):
    """A signed address of the object itself, for whoever has it; it expires soon."""

    url: str
    expires_in_s: int


class Requeued(Said):
    """How many videos were put back into the queue."""

    requeued: int


# ---------------------------------------------------------------- what is asked


class VideoPath(Asked):
    video_id: Annotated[int, Field(ge=1, le=MAX_ID, description="`id` of a video.")]


class PageQuery(Asked):
    """One page of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_LIMIT, description="The most that a page holds.")] = (
        PAGE_LIMIT
    )
    cursor: Annotated[
        str | None, Field(max_length=4096, description="Where the page begins: found in `next`.")
    ] = None


StoredState = Literal["queued", "processing", "done", "rejected", "failed", "removed"]
FilterVerdict = Literal["duplicate", "contained", "partial", "none"]
Text = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00]*$")]  # PostgreSQL's text holds no NUL


class VideosQuery(PageQuery):
    """Several states or verdicts are joined by "or", different filters by "and"."""

    state: Annotated[list[StoredState], Field(description="Only in these states; may be repeated.")] = []
    verdict: Annotated[
        list[FilterVerdict],
        Field(
            description="Only with such a match, common ones included; `none`: inspected, without any. "
            "May be repeated."
        ),
    ] = []
    contains: Annotated[Text, Field(description="In the key, whatever the case.")] = ""
    prefix: Annotated[Text, Field(description="The key begins so.")] = ""
    key: Annotated[Text, Field(description="The key is this one.")] = ""
    since: Annotated[AwareDatetime | None, Field(description="First seen then or later.")] = None
    until: Annotated[AwareDatetime | None, Field(description="First seen before.")] = None
    sort: Annotated[Sort, Field(description="`newest` and `oldest`: by when the key was first seen.")] = (
        Sort.NEWEST
    )


class MatchesQuery(PageQuery):
    common: Annotated[bool, Field(description="List what shares only common material too.")] = False


class RedriveBody(Asked):
    """Which videos to inspect again."""

    video_ids: Annotated[
        list[Annotated[int, Field(ge=1, le=MAX_ID)]] | None,
        Field(max_length=1000, description="None: all that have failed."),
    ] = None


# ---------------------------------------------------------------- the system


class WorkerState(Said):
    """A worker process. doing: the key that it inspects."""

    id: str
    host: str
    pid: int
    doing: str | None
    heartbeat_age_s: float
    alive: bool
    queue_reached: bool


class QueueState(Said):
    """About how many messages wait, are being worked on, were dead-lettered; or why nobody can tell."""

    waiting: int | None = None
    in_flight: int | None = None
    dead: int | None = None
    error: str | None = None


class Sweep(Said):
    """The comparison of bucket and database: how long ago, and why removals wait for a confirmation."""

    age_s: float | None
    blocked: str | None


class Throughput(Said):
    """Of the last hour. Seconds from the upload's event to the end of the inspection."""

    done: int
    rejected: int
    failed: int
    median_s: float | None


class System(Said):
    jobs: dict[State, int]
    oldest_queued_s: float | None
    workers: list[WorkerState]
    queue: QueueState
    sweep: Sweep
    throughput: Throughput


class RecentError(Said):
    video: OtherVideo
    state: State
    at: datetime | None
    error: Fault


class Errors(Said):
    errors: list[RecentError]


class InForce(Said):
    """By their names, without `INSPECTOR_`."""

    settings: dict[str, str | bool | int | float | list[str] | None]


# ---------------------------------------------------------------- uploads


class UploadLinks(Said):
    self: str
    parts: str
    completion: str


class OpenUpload(Said):
    """An upload in parts. part_bytes: the size of all parts but the last; numbers begin at 1."""

    id: int
    key: str
    size_bytes: int
    part_bytes: int
    part_count: int
    created_at: datetime
    expires_at: datetime
    links: UploadLinks


class UploadState(OpenUpload):
    """arrived: the numbers of the parts that S3 has."""

    arrived: list[int]
    arrived_bytes: int


class Upload(Said):
    """Where to PUT the bytes: at `url` with `headers`, or in `parts`."""

    key: str
    url: str | None = None
    headers: dict[str, str] = {}
    parts: OpenUpload | None = None
    expires_in_s: int


class UploadPage(Said):
    uploads: list[OpenUpload]
    next: str | None


class PartAddress(Said):
    part_number: int
    url: str


class PartAddresses(Said):
    parts: list[PartAddress]
    expires_in_s: int


class Completed(Said):
    """The object is whole; its inspection follows by itself."""

    key: str
    size_bytes: int


_NAME = "[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE = f"^{_NAME}/{_NAME}$"


class UploadPath(Asked):
    upload_id: Annotated[int, Field(ge=1, le=MAX_ID, description="`id` of an upload.")]


class UploadBody(Asked):
    key: Annotated[str, Field(min_length=1, max_length=1024)]
    size_bytes: Annotated[int, Field(ge=0, le=5 * 2**40)]
    content_type: Annotated[str, Field(max_length=100, pattern=_MEDIA_TYPE)] = "application/octet-stream"
    in_parts: Annotated[bool | None, Field(description="None: if it is large.")] = None
    overwrite: Annotated[bool, Field(description="Replace a video of this key.")] = False


class PartsBody(Asked):
    part_numbers: Annotated[list[Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1, max_length=100)]


# ---------------------------------------------------------------- deliveries


class DeliveryDocument(Said):
    """One event on its way to one target. status: what an endpoint answered last.

    event_id: what a webhook carries as `webhook-id`, the same at each attempt.
    """

    id: int
    target: str
    event_id: str
    kind: EventKind
    video_id: int
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class DeliveryPage(Said):
    deliveries: list[DeliveryDocument]
    next: str | None


class DeliveriesQuery(PageQuery):
    state: Annotated[
        Literal["pending", "delivered", "given_up"] | None, Field(description="Only in this state.")
    ] = None
    target: Annotated[Text | None, Field(description="Only to this target, such as `webhook:name`.")] = None


class DeliveryPath(Asked):
    delivery_id: Annotated[int, Field(ge=1, le=MAX_ID, description="`id` of a delivery.")]
