"""What the API says and takes about recordings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from inspector.api.on_air import OnAir
from inspector.api.v1.models import MAX_ID, Asked, OtherVideo, PageQuery, Said
from inspector.model import RecordedSegment, Recording, RecordingState, Verdict
from inspector.processes import has_died


class RecordingDocument(Said):
    """A stretch of a channel. Stream time 0 is `started_at`; `duration_s` is how far it has come.

    alive: its process runs.  note: what is wrong now, or why it ended.  restarts: of ffmpeg.  missing_s: what
    the source did not deliver.  joined_key: where all of it lies in one object.
    """

    id: int
    channel: str
    source: str
    state: RecordingState
    alive: bool
    note: str | None
    host: str
    pid: int
    heartbeat_age_s: float
    started_at: datetime
    ended_at: datetime | None
    duration_s: float
    size_bytes: int
    restarts: int
    total_segments: int
    total_gaps: int
    missing_s: float
    joined_key: str | None


class SegmentDocument(Said):
    """A piece: the video under `key`, whose second 0 is `start_s` of the stream."""

    number: int
    key: str
    start_s: float
    end_s: float
    frames: int
    size_bytes: int
    uploaded_at: datetime | None


class GapDocument(Said):
    """The source delivered nothing for this stretch of the stream."""

    start_s: float
    end_s: float
    reason: str


class RecordingDetail(RecordingDocument):
    segments: list[SegmentDocument]
    gaps: list[GapDocument]


class RecordingPage(Said):
    recordings: list[RecordingDocument]
    next: str | None


class OnAirDocument(Said):
    """Something known was on air. recording_id: if the other is a recording, whose stream time is meant then.

    verdict: `contained` if nearly all of the other was on air, else `partial`.
    """

    stream_start_s: float
    stream_end_s: float
    other: OtherVideo
    recording_id: int | None
    other_start_s: float
    other_end_s: float
    verdict: Verdict
    score: float


class OnAirList(Said):
    matches: list[OnAirDocument]


class Cleanup(Said):
    """Recordings marked as running whose process is gone. cleaned: they were; else nothing was changed."""

    dry_run: bool
    cleaned: int
    orphaned: list[RecordingDocument]


class RecordingPath(Asked):
    recording_id: Annotated[int, Field(ge=1, le=MAX_ID, description="`id` of a recording.")]


class RecordingsQuery(PageQuery):
    channel: Annotated[
        str | None, Field(max_length=100, pattern=r"^[^\x00]*$", description="Only of this channel.")
    ] = None
    state: Annotated[
        Literal["running", "ended", "orphaned"] | None, Field(description="Only in this state.")
    ] = None


class OnAirQuery(Asked):
    from_s: Annotated[float, Field(ge=0, le=1e9, description="On air after this time of the stream.")] = 0.0
    to_s: Annotated[float, Field(ge=0, le=1e9, description="On air before this time of the stream.")] = 1e9


class CleanupQuery(Asked):
    dry_run: Annotated[bool, Field(description="Only list them.")] = True


def recording_document(recording: Recording) -> RecordingDocument:
    return RecordingDocument.model_validate(_fields(recording))


def detail_document(
    recording: Recording, segments: list[RecordedSegment], gaps: list[GapDocument]
) -> RecordingDetail:
    """The recording with all its pieces and gaps."""
    pieces = [SegmentDocument.model_validate(each) for each in segments]
    return RecordingDetail.model_validate({**_fields(recording), "segments": pieces, "gaps": gaps})


def on_air_document(each: OnAir, bucket: str) -> OnAirDocument:
    segment = each.segment
    return OnAirDocument(
        stream_start_s=round(segment.a_start_s, 3),
        stream_end_s=round(segment.a_end_s, 3),
        other=OtherVideo(id=each.video_id, key=each.key, bucket=bucket),
        recording_id=each.recording_id,
        other_start_s=round(segment.b_start_s, 3),
        other_end_s=round(segment.b_end_s, 3),
        verdict=each.verdict,
        score=round(segment.score, 6),
    )


def _fields(recording: Recording) -> dict[str, object]:
    running = recording.state is RecordingState.RUNNING
    return {
        "id": recording.id,
        "channel": recording.channel,
        "source": recording.source,
        "state": recording.state,
        "alive": running and not has_died(recording),
        "note": recording.note,
        "host": recording.process.host,
        "pid": recording.process.pid,
        "heartbeat_age_s": round(recording.heartbeat_age_s, 1),
        "started_at": recording.started_at,
        "ended_at": recording.ended_at,
        "duration_s": round(recording.duration_s, 3),
        "size_bytes": recording.size_bytes,
        "restarts": recording.restarts,
        "total_segments": recording.segments,
        "total_gaps": recording.gaps,
        "missing_s": round(recording.missing_s, 3),
        "joined_key": recording.joined_key,
    }
