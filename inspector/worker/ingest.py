"""Ingest: look at one key, and make the database agree with the bucket. Idempotent, and the only way in.

Events, the sweep, the folder watcher and the recorder all end here. An event is a hint, not a fact:
what counts is what HeadObject says under the key's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog

from inspector import failpoints, tracing
from inspector.aws.bucket import Bucket
from inspector.aws.queue import BATCH
from inspector.events import is_older
from inspector.metrics import EVENTS
from inspector.model import EventKind, ObjectEvent, ObjectState, Priority, State
from inspector.settings import PROBE_PREFIX, Settings
from inspector.store import Database, videos, workers
from inspector.store.videos import KnownVideo

log = structlog.get_logger(__name__)


#: What the sweep finds so long after it was stored is no lost event of a moment ago, but was there before us.
LONG_THERE: Final = timedelta(hours=1)


class Outcome(StrEnum):
    """What came of a look at a key."""

    QUEUED = "queued"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    IGNORED = "ignored"


class Ingest:
    """Looks at keys of one bucket. Thread-safe."""

    def __init__(self, db: Database, bucket: Bucket, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self._settings = settings
        self._looking = ThreadPoolExecutor(BATCH, "look")  # it has no threads until there are keys for them

    def close(self) -> None:
        """Let the threads end that `look_at_new` has left idle; nothing is waited for."""
        self._looking.shutdown(wait=False, cancel_futures=True)

    def look_at(self, key: str, event: ObjectEvent | None = None) -> Outcome:
        """Make the database agree with what lies under `key` now.

        Raises BucketUnavailable or DatabaseUnavailable; then nothing has changed.
        """
        if key.startswith(PROBE_PREFIX):
            with self._db.begin() as tx:
                workers.record_probe(tx, key)
            return _counted(Outcome.IGNORED)
        if not self._settings.accepts_key(key):
            return _counted(Outcome.IGNORED)
        outcome = _counted(self._agree(key, event))
        log.info("key_looked_at", key=key, outcome=outcome, hint=event.kind if event else "sweep")
        return outcome

    def look_at_new(self, events: Sequence[ObjectEvent]) -> dict[str, Outcome]:
        """Queue those of these keys, each of one event, that have no video yet, in one transaction.

        All of them are backlog if the first is.
        Returns what came of each that was looked at; others are known, or no videos: look at each by itself.
        Raises whatever a look at one of them raises; then nothing has changed.
        """
        name = self._bucket.name
        hints = {event.key: event for event in events if self._takes(event.key)}
        with self._db.begin() as tx:
            videos.lock_keys(tx, name, hints.keys())
            new = sorted(hints.keys() - videos.known_keys(tx, name, hints.keys()))
            if not new:
                return {}
            # All at once: the locks are held no longer than for one.
            found = dict(zip(new, self._looking.map(self._bucket.head, new), strict=True))
            failpoints.reach("looked")
            there = [(key, state, hints[key].sequencer) for key, state in found.items() if state is not None]
            if there:
                with ExitStack() as spans:
                    for key, seen, _ in there:
                        spans.enter_context(tracing.first_span("video", name, key, seen.etag))
                    videos.add(tx, name, there, _priority(events[0]))
        outcomes = {
            key: Outcome.UNCHANGED if there is None else Outcome.QUEUED for key, there in found.items()
        }
        for key, outcome in outcomes.items():
            log.info("key_looked_at", key=key, outcome=_counted(outcome), hint=hints[key].kind)
        return outcomes

    def _takes(self, key: str) -> bool:
        return not key.startswith(PROBE_PREFIX) and self._settings.accepts_key(key)

    def _agree(self, key: str, event: ObjectEvent | None) -> Outcome:
        name = self._bucket.name
        sequencer = event.sequencer if event else None
        with self._db.begin() as tx:
            videos.lock_key(tx, name, key)
            known = videos.find(tx, name, key)
            if known and is_older(sequencer, known.sequencer):
                return Outcome.OUTDATED
            found = self._bucket.head(key)
            failpoints.reach("looked")
            outcome = decide(known, found, event)
            if outcome is Outcome.QUEUED and found is not None:
                long_there = event is None and videos.age(tx, found) > LONG_THERE
                priority = _priority(event, long_there=long_there)
                with tracing.first_span("video", name, key, found.etag):
                    videos.enqueue(tx, name, key, found, sequencer=sequencer, priority=priority)
            elif outcome is Outcome.REMOVED and known is not None:
                videos.remove(tx, known, sequencer=sequencer)
            elif known is not None:
                videos.note_seen(tx, known, sequencer=sequencer)
            return outcome


def decide(known: KnownVideo | None, found: ObjectState | None, event: ObjectEvent | None) -> Outcome:
    """What follows from what we knew, what lies there now, and the hint."""
    if found is None:
        return Outcome.REMOVED if known and known.state is not State.REMOVED else Outcome.UNCHANGED
    if known is None or known.state is State.REMOVED or not same_object(known.object, found):
        return Outcome.QUEUED
    return Outcome.QUEUED if event and _asks_again(known, event) else Outcome.UNCHANGED


def same_object(known: ObjectState, found: ObjectState) -> bool:
    """Whether these are the same version of an object. Listings do not tell version ids."""
    same_version = None in (known.version_id, found.version_id) or known.version_id == found.version_id
    return same_version and (known.etag, known.size_bytes, known.last_modified) == (
        found.etag,
        found.size_bytes,
        found.last_modified,
    )


def _asks_again(known: KnownVideo, event: ObjectEvent) -> bool:
    """A redrive repeats what failed; so does a new upload of the same bytes within the same second."""
    if event.kind is EventKind.REDRIVE:
        return known.state is State.FAILED
    uploaded_again = event.kind is EventKind.CREATED and is_older(known.sequencer, event.sequencer)
    return uploaded_again and known.state in (State.FAILED, State.REJECTED)


def _priority(event: ObjectEvent | None, *, long_there: bool = False) -> Priority:
    """How urgent a job is, by what hints at it (None: the sweep)."""
    later = long_there if event is None else event.kind is EventKind.BACKLOG
    return Priority.BACKLOG if later else Priority.UPLOAD


def _counted(outcome: Outcome) -> Outcome:
    EVENTS.labels(outcome).inc()
    return outcome
