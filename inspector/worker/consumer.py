"""The consumer: from messages to jobs. A message is deleted once what it hints at is committed."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import structlog

from inspector import failpoints
from inspector.aws.breaker import Breaker, BreakerState
from inspector.aws.queue import Queue
from inspector.errors import MalformedEvent, ObjectForbidden, QueueUnavailable, Unavailable
from inspector.events import parse_message
from inspector.metrics import BREAKER_OPEN, MESSAGES_MALFORMED, QUEUE_LAG_SECONDS
from inspector.model import ObjectEvent, QueueMessage
from inspector.settings import Settings
from inspector.store import Database
from inspector.worker.ingest import Ingest

log = structlog.get_logger(__name__)


class Consumer:
    """Receives messages and ingests them. For one thread; `breaker` may be read by others."""

    def __init__(self, db: Database, queue: Queue, ingest: Ingest, settings: Settings) -> None:
        self.breaker = Breaker()
        self._db = db
        self._queue = queue
        self._ingest = ingest
        self._settings = settings

    def run_once(self) -> float:
        """One long poll, and all that follows from it. Returns the seconds to wait before the next.

        Raises DatabaseUnavailable before anything is received, and BucketUnavailable when keys could not be
        looked at: their messages come again.
        """
        if not self.breaker.allow():
            return self.breaker.retry_in_s
        self._db.ping()
        try:
            messages = self._queue.receive(
                wait_s=self._settings.poll_wait_s, visibility_s=self._settings.visibility_timeout_s
            )
            self._succeeded()
            _observe_lag(messages)
            failpoints.reach("received")
            self.handle(messages)
        except QueueUnavailable as exc:
            self._failed(exc)
        return 0.0

    def handle(self, messages: list[QueueMessage]) -> None:
        """Ingest each message, then delete them; hand back the rest when a service cannot be reached."""
        ingested = self._ingest_together(messages)
        together = {message.message_id for message in ingested}
        messages = [message for message in messages if message.message_id not in together]
        try:
            for position, message in enumerate(messages):
                try:
                    self._handle_one(message)
                except QueueUnavailable:
                    raise
                except Unavailable:
                    self._queue.release(messages[position:])
                    raise
                except Exception:
                    # It comes again when its visibility ends, and is dead-lettered by SQS in the end.
                    log.exception("message_not_handled", message_id=message.message_id)
                else:
                    ingested.append(message)
                    failpoints.reach("ingested")
        finally:
            self._queue.delete(ingested)

    def _ingest_together(self, messages: list[QueueMessage]) -> list[QueueMessage]:
        """Ingest at once what needs no second look: single events of keys that nobody knows.

        Returns the messages that are done. All else, and all if anything fails, is handled one by one.
        """
        single = _single_events(messages, self._settings.bucket)
        if len(single) < 2:
            return []
        try:
            done = self._ingest.look_at_new([event for _, event in single])
        except Exception as exc:
            log.info("messages_taken_one_by_one", reason=f"{type(exc).__name__}: {exc}")
            return []
        failpoints.reach("ingested")
        return [message for message, event in single if event.key in done]

    def _handle_one(self, message: QueueMessage) -> None:
        try:
            events = parse_message(message.body)
            foreign = next((e for e in events if e.bucket != self._settings.bucket), None)
            if foreign is not None:
                raise MalformedEvent(f"bucket {foreign.bucket!r} is not inspected here")
        except MalformedEvent as exc:
            log.warning("message_malformed", message_id=message.message_id, reason=str(exc))
            MESSAGES_MALFORMED.inc()
            self._queue.dead_letter(message.body, str(exc))
            return
        try:
            for event in events:
                self._ingest.look_at(event.key, event)
        except ObjectForbidden as exc:
            log.warning("object_forbidden", message_id=message.message_id, reason=str(exc))
            self._queue.dead_letter(message.body, str(exc))

    def _succeeded(self) -> None:
        if self.breaker.state is not BreakerState.CLOSED:
            log.info("queue_reachable_again")
        self.breaker.succeeded()
        BREAKER_OPEN.set(0)

    def _failed(self, exc: QueueUnavailable) -> None:
        self.breaker.failed()
        is_open = self.breaker.state is BreakerState.OPEN
        BREAKER_OPEN.set(is_open)
        log.warning("queue_unavailable", error=str(exc), breaker=self.breaker.state)


def _observe_lag(messages: list[QueueMessage]) -> None:
    """Each message counts once, when it is received for the first time."""
    for message in messages:
        if message.lag_s is not None and message.receive_count == 1:
            QUEUE_LAG_SECONDS.observe(message.lag_s)


def _single_events(messages: list[QueueMessage], bucket: str) -> list[tuple[QueueMessage, ObjectEvent]]:
    """The messages of one event each, whose keys occur in no other message."""
    parsed: list[tuple[QueueMessage, list[ObjectEvent]]] = []
    for message in messages:
        with suppress(MalformedEvent):
            parsed.append((message, list(parse_message(message.body))))
    times = Counter(event.key for _, events in parsed for event in events)
    return [
        (message, events[0])
        for message, events in parsed
        if len(events) == 1 and events[0].bucket == bucket and times[events[0].key] == 1
    ]
