"""Statuses as the JSON of docs/api.md. Times are seconds; moments are ISO 8601 in UTC."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from inspector.api.keys import key_address
from inspector.errors import RejectReason
from inspector.model import DuplicateStatus, Evidence, LoggedChange, MediaInfo, Segment, State, VideoStatus

Json = dict[str, Any]

#: What a person can do about each rejection.
REMEDIES: Final[dict[RejectReason, str]] = {
    RejectReason.EMPTY: "The file has no content: upload it again, completely.",
    RejectReason.NOT_MEDIA: "The file is no audio or video: check that the right file was uploaded; an MP4 "
    "that was cut off while recording can often be repaired with a tool such as untrunc.",
    RejectReason.NO_VIDEO_STREAM: "The file has sound or pictures only: upload the version with the video.",
    RejectReason.DISALLOWED_FORMAT: "Playlists and rare containers are not opened: upload the video itself, "
    "for instance as MP4, MOV, MKV, WebM, AVI or TS.",
    RejectReason.TOO_LARGE_BYTES: "Upload a smaller encoding, or raise INSPECTOR_MAX_SIZE_BYTES.",
    RejectReason.TOO_LARGE_PIXELS: "Scale the video down, or raise INSPECTOR_MAX_PIXELS.",
    RejectReason.TOO_MANY_STREAMS: "Keep only the video and its sound (ffmpeg -map 0:v:0 -map 0:a:0? "
    "-c copy), or raise INSPECTOR_MAX_STREAMS.",
    RejectReason.ZERO_DIMENSIONS: "The video has no picture size: export it again from its source.",
    RejectReason.TOO_LONG: "Split the video, or raise INSPECTOR_MAX_DURATION_S.",
    RejectReason.TOO_SHORT: "There is too little to compare; if it is meant so, lower "
    "INSPECTOR_MIN_DURATION_S.",
    RejectReason.TOO_DEMANDING: "Reading the file takes more memory or time than one video may have: "
    "encode it anew, or raise INSPECTOR_TOOL_MEMORY_BYTES or INSPECTOR_ANALYSIS_TIMEOUT_FACTOR.",
    RejectReason.UNREADABLE: "The file is damaged: check whether it plays, then upload it again or "
    "encode it anew.",
}
_REMEDY_FAILED: Final = "All attempts were used up; once the cause is gone, redrive the dead-letter queue."


def status_document(status: VideoStatus, *, common: bool = False) -> Json:
    """All that is known of one video; with `common` also who shares only common material with it."""
    return {
        "key": status.key,
        "bucket": status.bucket,
        "status": status.state.value,
        "progress": number(1.0 if status.state is State.DONE else status.progress),
        "eta_s": number(status.eta_s),
        "scene_cuts": [number(cut) for cut in status.scene_cuts],
        "total_cuts": len(status.scene_cuts),
        "duplicates": [
            duplicate_document(each) for each in (*status.duplicates, *(status.common if common else ()))
        ],
        "total_common": len(status.common),
        "media": None if status.media is None else media_document(status.media),
        "error": error_document(status),
        "attempts": status.attempts,
        "timestamps": {
            "created": _moment(status.created_at),
            "queued": _moment(status.queued_at),
            "started": _moment(status.started_at),
            "finished": _moment(status.finished_at),
            "updated": _moment(status.updated_at),
        },
        "revision": status.revision,
        "truncated": status.truncated,
        "size_bytes": status.size_bytes,
        "sha256": status.sha256,
        "links": {"self": key_address(status.key)},
    }


def page_document(videos: list[VideoStatus], following: str | None, *, common: bool = False) -> Json:
    """One page of videos; following: the address of the next page, if there is one."""
    return {"videos": [status_document(status, common=common) for status in videos], "next": following}


def change_document(change: LoggedChange) -> Json:
    """One event of `/events`: what has changed, in short."""
    return {
        "position": change.position,
        "key": change.key,
        "status": change.state.value,
        "revision": change.revision,
        "progress": number(1.0 if change.state is State.DONE else change.progress),
        "eta_s": number(change.eta_s),
        "attempts": change.attempts,
        "reason": change.reason,
        "at": _moment(change.at),
        "links": {"status": key_address(change.key)},
    }


def duplicate_document(duplicate: DuplicateStatus) -> Json:
    return {
        "key": duplicate.key,
        "bucket": duplicate.bucket,
        "verdict": duplicate.verdict.value,
        "decision": duplicate.decision,
        "score": number(duplicate.score),
        "speed": number(duplicate.speed),
        "segments": [segment_document(segment) for segment in duplicate.segments],
        "evidence": evidence_document(duplicate.evidence),
        "links": {"status": key_address(duplicate.key)},
    }


def segment_document(segment: Segment) -> Json:
    return {
        "start_s": number(segment.a_start_s),
        "end_s": number(segment.a_end_s),
        "duplicate_start_s": number(segment.b_start_s),
        "duplicate_end_s": number(segment.b_end_s),
        "score": number(segment.score),
    }


def evidence_document(evidence: Evidence) -> Json:
    return {**asdict(evidence), "weights": {name: number(w) for name, w in evidence.weights.items()}}


def media_document(media: MediaInfo) -> Json:
    return {k: number(v) if isinstance(v, float) else v for k, v in asdict(media).items()}


def error_document(status: VideoStatus) -> Json | None:
    """What is wrong. A job that waits for its next attempt also says why the last one failed."""
    if status.reason is None and status.error is None:
        return None
    reason = status.reason or "attempt_failed"
    error: Json = {"reason": reason, "detail": status.error}
    if status.state is State.FAILED:
        error["remedy"] = _REMEDY_FAILED
    elif reason in REMEDIES:
        error["remedy"] = REMEDIES[RejectReason(reason)]
    return error


def number(value: float | None) -> float | None:
    """Microseconds are enough, and JSON knows neither NaN nor infinity."""
    return round(value, 6) if value is not None and math.isfinite(value) else None


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
