"""Streams: who may open one, and the two threads that serve all of them.

The thread of a request opens a stream and hands its socket to the outlet, which writes; a second thread looks
into the database where nobody tells us. Where there is no socket to hand over (another WSGI server, a test),
a stream is an iterator like any other, and holds the thread that reads it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

import structlog

from inspector.api.feeder import Feeder
from inspector.api.feeds import ChangesFeed, Feed, Pages, StatusFeed
from inspector.api.finder import Finder
from inspector.api.outlet import PING_S, STALL_S, TICK_S, Outlet
from inspector.api.problems import RETRY_AFTER_S, Problem
from inspector.errors import Unavailable
from inspector.metrics import STREAMS
from inspector.model import VideoStatus

PAUSE_S: Final = 0.05  # between two looks: what changes meanwhile is read at once

log = structlog.get_logger(__name__)


class Streams:
    """Opens streams, at most `limit` at a time, until `stop`."""

    def __init__(
        self,
        finder: Finder,
        feeder: Feeder,
        pages: Pages,
        *,
        limit: int,
        limit_per_client: int | None = None,
        ping_s: float = PING_S,
        tick_s: float = TICK_S,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._finder = finder
        self._feeder = feeder
        self._pages = pages
        self._limit = limit
        self._limit_per_client = limit_per_client or limit
        self._ping_s = ping_s
        self._tick_s = tick_s
        self._clock = clock
        self._lock = threading.Lock()
        self._open: Counter[str | None] = Counter()  # by client
        self._stopping = threading.Event()
        self._outlet = Outlet(ping_s=ping_s, stall_s=stall_s, tick_s=tick_s, clock=clock)
        self._looking: threading.Thread | None = None

    def stop(self) -> None:
        """Let all streams end, and no new one begin. Readers connect again by themselves."""
        self._stopping.set()
        self._feeder.heard.set()
        self._outlet.stop()

    def join(self) -> None:
        """Wait for the threads to end, after `stop`."""
        self._outlet.join()
        if self._looking is not None:
            self._looking.join(5.0)

    # ------------------------------------------------------------ places

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

    # ------------------------------------------------------------ opening

    def status(self, first: VideoStatus, client: str | None, *, seen: bool = False) -> Live:
        """The body of an answer: `first`, unless the reader has seen it, and what follows. Raises Problem."""
        self.enter(client)
        return Live(self, lambda: self._status_feed(first, seen=seen), client)

    def changes(self, prefix: str, position: int | None, client: str | None) -> Live:
        """The body of an answer: every change after a position. Raises Problem or DatabaseUnavailable."""
        self.enter(client)
        try:
            feed = ChangesFeed(self._pages, prefix, position)
        except BaseException:
            self.leave(client)
            raise
        return Live(self, lambda: feed, client)

    def events(self, first: VideoStatus) -> Iterator[bytes]:
        """The status `first` and what follows, as bytes of an event stream."""
        return self.follow(lambda: self._status_feed(first))

    def follow(self, make_feed: Callable[[], Feed]) -> Iterator[bytes]:
        """What a feed says, until its end or ours; for a thread of its own."""
        feed, news = make_feed(), threading.Event()
        feed.on_news = news.set
        said_at = self._clock()
        try:
            while not self._stopping.is_set():
                news.clear()
                words = feed.take()
                if not words and feed.ended:
                    return
                if not words and self._clock() - said_at >= self._ping_s:
                    words = feed.ping()
                if words:
                    yield words
                    said_at = self._clock()
                elif not news.wait(self._tick_s):
                    self.look([feed])
        finally:
            feed.close()

    def hand_over(self, client: socket.socket, feed: Feed, on_end: Callable[[], None]) -> None:
        """Let the outlet tell `client` what `feed` says."""
        with self._lock:
            if self._looking is None:
                self._looking = threading.Thread(target=self._keep_looking, name="streams-look", daemon=True)
                self._looking.start()
        self._outlet.start()
        self._outlet.take_over(client, feed, on_end)

    def _status_feed(self, first: VideoStatus, *, seen: bool = False) -> StatusFeed:
        return StatusFeed(
            first, self._finder, seen=seen, look_s=self._tick_s, bucket_look_s=self._ping_s, clock=self._clock
        )

    # ------------------------------------------------------------ looking

    def look(self, feeds: Iterable[Feed]) -> None:
        """Ask the database what nobody tells these feeds, in the feeder's place if need be."""
        self._feeder.ensure()
        if not self._finder.board.trusted:
            with suppress(Unavailable):
                self._finder.board.refresh_watched()
        self._pages.renew()
        for feed in feeds:
            feed.look()

    def _keep_looking(self) -> None:
        while not self._stopping.is_set():
            self._feeder.heard.wait(self._tick_s)
            self._feeder.heard.clear()
            try:
                self.look(self._outlet.feeds)
            except Exception:
                log.exception("streams_not_looked_after")
            self._stopping.wait(PAUSE_S)


class Live:
    """The body of an answer that is a stream: iterated, or its socket handed over. It holds a place."""

    def __init__(self, streams: Streams, make_feed: Callable[[], Feed], client: str | None) -> None:
        self._streams = streams
        self._make_feed = make_feed
        self._client = client
        self._following: Iterator[bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        self._following = self._streams.follow(self._make_feed)
        return self._following

    def hand_over(self, client: socket.socket) -> None:
        """Leave the socket to the outlet; `close` is its business from now on."""
        try:
            feed = self._make_feed()
        except BaseException:
            self.close()
            raise
        self._streams.hand_over(client, feed, self.close)

    def close(self) -> None:
        """Give the place back."""
        if not self._closed:
            self._closed = True
            if self._following is not None:
                self._following.close()  # type: ignore[attr-defined]  # it is a generator
            self._streams.leave(self._client)


def _too_many(status: int, sentence: str) -> Problem:
    detail = f"{sentence}; poll this address without `Accept: text/event-stream`."
    return Problem(status, "too-many-streams", detail, {"Retry-After": str(RETRY_AFTER_S)})
