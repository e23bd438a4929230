"""A video's changes as server-sent events, until it is final.

Each event is called `status`, its id is the revision, its data the same JSON that the address answers
otherwise. Source: the HTML standard, section "Server-sent events". A stream holds a thread of the server, so
their number is bounded, and each ends soon after the server is asked to stop.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from inspector.api.documents import status_document
from inspector.api.feeder import Feeder
from inspector.api.finder import Finder
from inspector.api.problems import RETRY_AFTER_S, Problem
from inspector.errors import Unavailable
from inspector.metrics import STREAMS
from inspector.model import State, VideoStatus

PING_S: Final = 15.0  # proxies close what is silent for a minute or less; a dead reader is noticed by writing
TICK_S: Final = 0.5  # how soon a stream notices the server's stop, and looks for a pending video
_RETRY: Final = b"retry: 2000\n\n"  # milliseconds until a browser connects again

#: What follows a status: a newer one, or None for a moment in which nothing changed.
Changes = Iterator[VideoStatus | None]


class Streams:
    """Opens streams, at most `limit` at a time, until `stop`."""

    def __init__(
        self,
        finder: Finder,
        feeder: Feeder,
        *,
        limit: int,
        limit_per_client: int | None = None,
        ping_s: float = PING_S,
        tick_s: float = TICK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._finder = finder
        self._feeder = feeder
        self._limit = limit
        self._limit_per_client = limit_per_client or limit
        self._ping_s = ping_s
        self._tick_s = tick_s
        self._clock = clock
        self._lock = threading.Lock()
        self._open: Counter[str | None] = Counter()  # by client
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let all streams end, and no new one begin. Readers connect again by themselves."""
        self._stopping.set()

    @property
    def open(self) -> int:
        """How many places are taken."""
        return self._open.total()

    def enter(self, client: str | None = None) -> None:
        """Take a place; `leave` must follow. Raises Problem if all (503) or the client's own (429) are taken.

        client: who reads; None for one who may take them all.
        """
        with self._lock:
            if self.open >= self._limit or self._stopping.is_set():
                raise _too_many(503, "All streams are taken")
            if client is not None and self._open[client] >= self._limit_per_client:
                raise _too_many(429, f"You have {self._open[client]} streams open already")
            self._open[client] += 1
        STREAMS.inc()

    def leave(self, client: str | None = None) -> None:
        """Give the place back."""
        with self._lock:
            self._open[client] -= 1
            self._open += Counter()  # forgets who has none
        STREAMS.dec()

    def events(self, first: VideoStatus) -> Iterator[bytes]:
        """The status `first` and what follows, as bytes of an event stream."""
        yield _RETRY + encode(first)
        ping_at = self._clock() + self._ping_s
        for status in self._following(first):
            if status is not None:
                yield encode(status)
            elif self._clock() >= ping_at:
                yield b": ping\n\n"
            else:
                continue
            ping_at = self._clock() + self._ping_s

    def _following(self, status: VideoStatus) -> Changes:
        """What follows `status`, until it is final or the server stops."""
        if status.state is State.PENDING:
            for seen in self._until_seen(status):
                yield seen
                status = seen or status
        if status.video_id is not None and not status.state.final:
            yield from self._until_final(status)

    def _until_seen(self, pending: VideoStatus) -> Changes:
        """Wait for the database to know the object, or for the object to go."""
        look_at = self._clock() + self._ping_s
        while not self._stopping.wait(self._tick_s):
            try:
                known = self._finder.recorded(pending.key)
                if known is not None and known.state is not State.REMOVED:
                    yield known
                    return
                if self._clock() >= look_at:
                    look_at = self._clock() + self._ping_s
                    if self._is_gone(pending):
                        yield known or replace(pending, state=State.REMOVED)
                        return
            except Unavailable:
                pass  # the stream outlives what cannot be asked for a while
            yield None

    def _is_gone(self, pending: VideoStatus) -> bool:
        found = self._finder.exact(pending.key)
        return found is None or found.state is State.REMOVED

    def _until_final(self, status: VideoStatus) -> Changes:
        """Wait for the board's news of this video."""
        with self._finder.board.subscribe(status) as subscription:
            self._refresh(status)  # what changed before we subscribed
            while not self._stopping.is_set():
                news = subscription.wait(self._tick_s)
                yield news
                if subscription.gone or (news is not None and news.state.final):
                    return
                self._feeder.ensure()
                if not self._finder.board.trusted:
                    self._refresh(status)

    def _refresh(self, status: VideoStatus) -> None:
        """Ask the database ourselves, in place of the feeder."""
        try:
            self._finder.board.refresh({status.video_id} if status.video_id is not None else set())
        except Unavailable:
            return


def _too_many(status: int, sentence: str) -> Problem:
    detail = f"{sentence}; poll this address without `Accept: text/event-stream`."
    return Problem(status, "too-many-streams", detail, {"Retry-After": str(RETRY_AFTER_S)})


def encode(status: VideoStatus) -> bytes:
    """One event. JSON escapes line breaks, so its data is one line."""
    data = json.dumps(status_document(status), separators=(",", ":"))
    return f"id: {status.revision}\nevent: status\ndata: {data}\n\n".encode()
