"""Telling the world outside what came of the videos: from the outbox to endpoints, tags, a topic, a bus.

At least once, and under one id: who hears of something twice can tell. Nothing is promised about the order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from inspector import failpoints
from inspector.errors import InspectorError
from inspector.metrics import DELIVERIES
from inspector.model import DuplicateStatus, Segment, State, Verdict, VideoStatus
from inspector.store import Database, outbox, recordings
from inspector.store.outbox import Delivery, Event, EventKind, Message
from inspector.store.recordings import Place
from inspector.store.status import StatusReader
from inspector.worker.webhooks import NotDelivered

log = structlog.get_logger(__name__)

MOST_ATTEMPTS: Final = 12  # a day and a half
FIRST_PAUSE_S: Final = 5.0  # it grows fourfold
LONGEST_PAUSE_S: Final = 6 * 3600.0
LEASE_S: Final = 60.0  # longer than an attempt may take
_AT_ONCE: Final = 20
_IDLE_S: Final = 1.0
_STRENGTH: Final = (Verdict.DUPLICATE, Verdict.CONTAINED, Verdict.PARTIAL)

#: Tells a message to one target, and returns the HTTP status if there is one. Raises NotDelivered or an
#: InspectorError.
Tell = Callable[[Message], int | None]


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody to be told. kinds: of which events."""

    tell: Tell
    kinds: frozenset[EventKind]


class Outbox:
    """Routes events, and delivers what is due. Any number of workers may do it side by side."""

    def __init__(
        self,
        db: Database,
        statuses: StatusReader,
        targets: Mapping[str, Target],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._db = db
        self._statuses = statuses
        self._targets = targets
        self._jitter = jitter

    def run_once(self) -> float:
        """Route some events, deliver one message. Returns the seconds to wait. Raises DatabaseUnavailable."""
        routed = self._route()
        delivered = self._deliver()
        return 0.0 if routed or delivered else _IDLE_S

    def _route(self) -> int:
        with self._db.begin() as tx:
            events = outbox.take_events(tx, limit=_AT_ONCE)
            ids = [event.video_id for event in events] if self._targets else []
            found = {status.video_id: status for status in self._statuses.by_ids(ids)} if ids else {}
            for event in events:
                status = standing(event, found.get(event.video_id))
                if event.kind is EventKind.MATCH_FOUND:  # told pair by pair, and not as a whole
                    outbox.route(tx, event, {}, ())
                else:
                    outbox.route(tx, event, told_of(event, status), self._wanting(event.kind))
                if status is not None:
                    self._route_matches(tx, event, status)
            failpoints.reach("routed")
        return len(events)

    def _route_matches(self, tx: Session, event: Event, status: VideoStatus) -> None:
        """All matches of the video; of an event about one match, that one."""
        wanting = self._wanting(EventKind.MATCH_FOUND)
        only = event.facts.get("match_with")
        others = {
            other.video_id: (other.video_id or 0, other.content_id or 0)
            for other in self._statuses.by_ids([match.video_id for match in status.duplicates])
            if only in (None, other.content_id)
        }
        mine = (event.video_id, status.content_id or 0)
        keys = [status.key, *(match.key for match in status.duplicates)]
        places = recordings.places(tx, status.bucket, keys) if wanting else {}
        for match in status.duplicates:
            here, there = places.get(status.key), places.get(match.key)
            if match.video_id in others and not _same_recording(here, there):
                pair = (mine, others[match.video_id])
                outbox.add_pair(tx, event, pair, match_told(status, match, here, there), wanting)

    def _wanting(self, kind: EventKind) -> list[str]:
        return [name for name, target in self._targets.items() if kind in target.kinds]

    def _deliver(self) -> bool:
        with self._db.begin() as tx:
            delivery = outbox.claim(tx, lease_s=LEASE_S)
        if delivery is None:
            return False
        target = self._targets.get(delivery.target)
        if target is None:
            with self._db.begin() as tx:
                outbox.give_up(tx, delivery, None, "the settings name this target no more")
            return True
        try:
            status = target.tell(delivery.message)
        except (NotDelivered, InspectorError) as exc:
            self._fail(delivery, exc)
            return True
        failpoints.reach("told")
        with self._db.begin() as tx:
            outbox.delivered(tx, delivery, status)
        _count(delivery, "delivered")
        return True

    def _fail(self, delivery: Delivery, exc: Exception) -> None:
        status = exc.status if isinstance(exc, NotDelivered) else None
        final = isinstance(exc, NotDelivered) and exc.final
        log.warning(
            "not_delivered", target=delivery.target, attempt=delivery.attempt, status=status, error=str(exc)
        )
        with self._db.begin() as tx:
            if final or delivery.attempt >= MOST_ATTEMPTS:
                outbox.give_up(tx, delivery, status, _plain(exc))
            else:
                pause_s = pause_after(delivery.attempt) * (1 - self._jitter() / 2)
                outbox.put_off(tx, delivery, status, _plain(exc), pause_s=pause_s)
        _count(delivery, "given_up" if final or delivery.attempt >= MOST_ATTEMPTS else "failed")


def pause_after(attempt: int) -> float:
    """Seconds until the next attempt, before jitter."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 4 ** (attempt - 1)))


def standing(event: Event, status: VideoStatus | None) -> VideoStatus | None:
    """The present status, if it still shows what the event is about."""
    if status is None or status.state is not State.DONE or event.kind is EventKind.VIDEO_FAILED:
        return None
    return status if status.content_id == event.facts["content_id"] else None


def told_of(event: Event, status: VideoStatus | None) -> dict[str, Any]:
    """What is told of a job that ended: the facts of that moment, and its results, if they still stand."""
    facts = event.facts
    data: dict[str, Any] = {
        "id": event.video_id,
        **{name: facts[name] for name in ("key", "bucket", "etag", "state", "revision")},
    }
    if event.kind is EventKind.VIDEO_FAILED:
        return {**data, "reason": facts["reason"] or "attempts_used_up", "error": facts["error"]}
    if status is not None:
        data |= {
            "verdict": strongest(status),
            "duplicate_of": duplicate_of(status),
            "total_matches": len(status.duplicates),
            "sha256": status.sha256,
            "duration_s": status.media.duration_s if status.media else None,
        }
    return data


def match_told(
    status: VideoStatus, match: DuplicateStatus, here: Place | None = None, there: Place | None = None
) -> dict[str, Any]:
    """A match, as seen from the video that was inspected later. here, there: in which recordings they lie."""
    return {
        "video": {"id": status.video_id, "key": status.key, "bucket": status.bucket, **_on_air(here)},
        "other": {"id": match.video_id, "key": match.key, "bucket": match.bucket, **_on_air(there)},
        "verdict": match.verdict,
        "score": round(match.score, 6),
        "speed": round(match.speed, 6),
        "segments": [
            {
                "start_s": round(segment.a_start_s, 6),
                "end_s": round(segment.a_end_s, 6),
                "other_start_s": round(segment.b_start_s, 6),
                "other_end_s": round(segment.b_end_s, 6),
                **_stream_times(segment, here),
            }
            for segment in match.segments
        ],
        "evidence": {name: count for name, count in asdict(match.evidence).items() if name != "weights"},
    }


def _on_air(place: Place | None) -> dict[str, Any]:
    return {"recording": {"id": place.recording_id, "channel": place.channel}} if place else {}


def _stream_times(segment: Segment, place: Place | None) -> dict[str, Any]:
    """When it was on air, in the time of the recording."""
    if place is None:
        return {}
    return {
        "stream_start_s": round(place.start_s + segment.a_start_s, 6),
        "stream_end_s": round(place.start_s + segment.a_end_s, 6),
    }


def _same_recording(here: Place | None, there: Place | None) -> bool:
    """Pieces of one recording, or one of them and the whole, are no news to each other."""
    return here is not None and there is not None and here.recording_id == there.recording_id


def strongest(status: VideoStatus) -> Verdict | None:
    """The verdict of a video as a whole."""
    given = {duplicate.verdict for duplicate in status.duplicates}
    return next((verdict for verdict in _STRENGTH if verdict in given), None)


def duplicate_of(status: VideoStatus) -> str | None:
    """The key of the surest video that holds all of this one, or is held by it."""
    whole = (Verdict.DUPLICATE, Verdict.CONTAINED)
    return next((match.key for match in status.duplicates if match.verdict in whole), None)


def _plain(exc: Exception) -> str:
    """What the log of deliveries says; the words of a service stay in our own log."""
    return str(exc) if isinstance(exc, NotDelivered) else (type(exc).__doc__ or "").strip()


def _count(delivery: Delivery, outcome: str) -> None:
    DELIVERIES.labels(delivery.target.partition(":")[0], outcome).inc()
