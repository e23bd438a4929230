"""`/video/<key>`: one video, what is in it, what it shares with others, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from flask import Response, request

from inspector.api.keys import key_from_path, key_from_query
from inspector.api.pages import wording
from inspector.api.pages.behind import Behind, page
from inspector.api.pages.drawing import Scale, ticks
from inspector.api.pages.wording import duration
from inspector.api.problems import Problem
from inspector.model import DuplicateStatus, State, VideoStatus
from inspector.store.attempts import Attempt

_PREFIX: Final = "/video/"
_PICTURED_WITHIN: Final = timedelta(seconds=30)
_MOST_LANES: Final = 12  # of others in the timeline; the table has all


@dataclass(frozen=True, slots=True)
class Stretch:
    """A matched segment in the timeline."""

    x: float
    width: float
    other: DuplicateStatus
    start_s: float
    end_s: float


class VideoView:
    """The page of one video."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    def show(self, key: str) -> Response:
        """`GET /video/<key>`. The key is read from the raw path, as for `/status`."""
        return self._show(key_from_path(request.environ["PATH_INFO"], _PREFIX) if key else key)

    def show_by_query(self) -> Response:
        """`GET /video?key=`."""
        return self._show(key_from_query(request.query_string) or "")

    def _show(self, key: str) -> Response:
        status = self._behind.finder.exact(key) if key else None
        if status is None:
            raise Problem(404, "not-found", "No video has this key, nor has the bucket an object.")
        scale = Scale(0.0, _length_s(status))
        others = [*status.duplicates, *status.common]
        pictures = self._behind.source.thumbnails({status.sha256} if status.sha256 else ())
        return page(
            "video.html",
            video=status,
            others=others,
            scale=scale,
            cuts=ticks(status.scene_cuts, scale),
            lanes=[_lane(each, scale) for each in others[:_MOST_LANES]],
            pictures=pictures.get(status.sha256 or ""),
            history=history(status, self._attempts(status)),
            changing=not status.state.final or (is_fresh(status) and not pictures),
            playable=status.state not in (State.REMOVED, State.PENDING),
        )

    def _attempts(self, status: VideoStatus) -> list[Attempt]:
        return [] if status.video_id is None else self._behind.source.attempts(status.video_id)


def is_fresh(status: VideoStatus) -> bool:
    """Whether a video was inspected just now: its pictures follow in a moment."""
    ended = status.finished_at
    return status.state is State.DONE and ended is not None and datetime.now(UTC) - ended < _PICTURED_WITHIN


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a video. mark: what colours it; detail: who it was, and why."""

    at: datetime
    mark: str
    said: str
    detail: str = ""


def history(status: VideoStatus, attempts: Sequence[Attempt]) -> list[Event]:
    """What became of a video, the oldest first."""
    moments = (
        (status.created_at, State.PENDING, "first seen in the bucket"),
        (
            status.queued_at,
            State.QUEUED,
            "queued",
        ),
        (status.finished_at if status.state is State.REMOVED else None, State.REMOVED, "the object was gone"),
    )
    events = [Event(at, state, said) for at, state, said in moments if at is not None]
    events += [_event(attempt) for attempt in attempts]
    return sorted(events, key=lambda event: event.at)


def _event(attempt: Attempt) -> Event:
    """An attempt stands where it began."""
    ended = "is at it" if attempt.outcome is None else wording.OUTCOMES[attempt.outcome]
    took = duration((attempt.ended_at - attempt.started_at).total_seconds()) if attempt.ended_at else ""
    details = [f"by {attempt.worker}", f"in {took}" if took else "", attempt.reason or ""]
    return Event(
        attempt.started_at,
        attempt.outcome or State.PROCESSING,
        f"attempt {attempt.number}: {ended}",
        ", ".join(detail for detail in details if detail),
    )


def _lane(other: DuplicateStatus, scale: Scale) -> list[Stretch]:
    return [
        Stretch(*scale.span(s.a_start_s, s.a_end_s), other, s.a_start_s, s.a_end_s) for s in other.segments
    ]


def _length_s(status: VideoStatus) -> float:
    """How long the timeline is: what the file declares, or what is known to be in it."""
    known = [s.a_end_s for other in status.duplicates for s in other.segments]
    declared = status.media.duration_s if status.media else None
    return max([declared or 0.0, *status.scene_cuts[-1:], *known]) or 1.0
