"""What one reader of a stream is told: the changes of a video until it is final, or of all videos.

Server-sent events; source: the HTML standard, section "Server-sent events". A feed is asked for its next
words when the reader has room for them, so nothing piles up: of one video the latest status counts, and the
changes of all wait in the database's log.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Final, Protocol

from inspector.api.board import Subscription
from inspector.api.documents import change_document, status_document
from inspector.api.finder import Finder
from inspector.api.ports import StatusSource
from inspector.errors import Unavailable
from inspector.model import LoggedChange, State, VideoStatus

LOOK_S: Final = 0.5  # how soon a pending video that has been seen is told
BUCKET_LOOK_S: Final = 15.0  # how soon a pending one that has gone is
PAGE: Final = 200  # changes read at a time
RETRY: Final = b"retry: 2000\n\n"  # milliseconds until a browser connects again
PING: Final = b": ping\n\n"


class Feed(Protocol):
    """Words for one reader. `take` and `ping` are for the thread that writes, `look` for another."""

    on_news: Callable[[], None]

    @property
    def ended(self) -> bool:
        """Whether nothing follows any more, now or later."""

    def take(self) -> bytes:
        """The next words; empty if there are none now. Never waits."""

    def ping(self) -> bytes:
        """What is said when nothing else was for a while."""

    def look(self) -> None:
        """Ask the database or the bucket, where nobody tells us."""

    def close(self) -> None:
        """The reader is gone."""


class StatusFeed:
    """One video: its status `first`, unless the reader has seen it, and what follows until it is final."""

    def __init__(
        self,
        first: VideoStatus,
        finder: Finder,
        *,
        seen: bool = False,
        look_s: float = LOOK_S,
        bucket_look_s: float = BUCKET_LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises nothing: what cannot be asked now is asked later."""
        self.on_news: Callable[[], None] = lambda: None
        self._finder = finder
        self._look_s = look_s
        self._bucket_look_s = bucket_look_s
        self._clock = clock
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._closed = False
        self._final = False
        self._subscription: Subscription | None = None
        self._unsaid = deque([RETRY if seen else RETRY + encode_status(first)])
        self._pending = first if first.state is State.PENDING else None
        self._look_at = clock()
        self._bucket_look_at = clock() + bucket_look_s
        if self._pending is None:
            self._follow(first)

    @property
    def ended(self) -> bool:
        return self._final and not self._unsaid

    def take(self) -> bytes:
        if self._unsaid:
            return self._unsaid.popleft()
        subscription = self._subscription
        if subscription is None or self._final:
            return b""
        gone = subscription.gone  # asked first: what came before the end is still told
        news = subscription.take()
        if news is None:
            self._final = gone
            return b""
        self._final = news.state.final
        return news.shown(encode_status)

    def ping(self) -> bytes:
        return PING

    def look(self) -> None:
        pending, now = self._pending, self._clock()
        if pending is None or now < self._look_at:
            return
        self._look_at = now + self._look_s
        with suppress(Unavailable):  # the stream outlives what cannot be asked for a while
            known = self._finder.recorded(pending.key)
            if known is not None and known.state is not State.REMOVED:
                self._say(known)
            elif now >= self._bucket_look_at:
                self._bucket_look_at = now + self._bucket_look_s
                if self._is_gone(pending):
                    self._say(known or replace(pending, state=State.REMOVED))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._stack.close()

    def _say(self, status: VideoStatus) -> None:
        """The video is not pending any more."""
        self._pending = None
        self._unsaid.append(encode_status(status))
        self._follow(status)
        self.on_news()

    def _is_gone(self, pending: VideoStatus) -> bool:
        found = self._finder.exact(pending.key)
        return found is None or found.state is State.REMOVED

    def _follow(self, status: VideoStatus) -> None:
        """Hear what follows `status`, and what changed before we listened."""
        if status.video_id is None or status.state.final:
            self._final = True
            return
        with self._lock:
            if self._closed:
                return
            self._subscription = self._stack.enter_context(
                self._finder.board.subscribe(status, lambda: self.on_news())
            )
        with suppress(Unavailable):
            self._finder.board.refresh({status.video_id})


class Pages:
    """Reads the log of changes for all its readers: who stands at the same position shares one question."""

    def __init__(self, source: StatusSource, bucket: str, wake: threading.Event) -> None:
        """wake: what makes somebody look on behalf of the readers."""
        self.wake = wake
        self._source = source
        self._bucket = bucket
        self._lock = threading.Lock()
        self._read: dict[int, _Page] = {}

    def span(self) -> tuple[int, int]:
        """The positions of the oldest and the newest change in the log. Raises DatabaseUnavailable."""
        page = self._source.changes_after(self._bucket, None, limit=1)
        return page.oldest, page.newest

    def after(self, position: int) -> _Page:
        """What follows a position, at most `PAGE` changes. Raises DatabaseUnavailable."""
        with self._lock:
            page = self._read.get(position)
            if page is None:
                found = self._source.changes_after(self._bucket, position, limit=PAGE)
                whole = len(found.changes) < PAGE
                end = max(found.newest, position) if whole else found.changes[-1].position
                events = [(change.key, encode_change(change)) for change in found.changes]
                page = self._read[position] = _Page(found.oldest, end, whole, events)
            return page

    def renew(self) -> None:
        """Ask anew from now on."""
        with self._lock:
            self._read.clear()


class _Page:
    """A piece of the log, encoded: (key, event).

    oldest: the first position in the log.  end: up to where this tells everything.  whole: nothing follows.
    """

    __slots__ = ("end", "events", "oldest", "whole")

    def __init__(self, oldest: int, end: int, whole: bool, events: list[tuple[str, bytes]]) -> None:
        self.oldest = oldest
        self.end = end
        self.whole = whole
        self.events = events


class ChangesFeed:
    """All videos whose keys begin with `prefix`: every change after a position of the log."""

    def __init__(self, pages: Pages, prefix: str = "", position: int | None = None) -> None:
        """position: the last one that the reader knows; None: it wants to hear what comes from now on.

        Raises DatabaseUnavailable.
        """
        self.on_news: Callable[[], None] = lambda: None
        self.ended = False
        self._pages = pages
        self._prefix = prefix
        self._behind = False
        oldest, newest = pages.span()
        self._position = newest
        if position is None:
            self._unsaid = deque([RETRY + _identified(newest)])
        elif position > newest or position < oldest - 1:
            self._unsaid = deque([RETRY + _reset(newest)])
        else:
            self._position = position
            self._unsaid = deque([RETRY])

    def take(self) -> bytes:
        words = self._unsaid.popleft() if self._unsaid else b""
        if self._behind and not self._unsaid:
            self._pages.wake.set()
        return words

    def ping(self) -> bytes:
        """With the position, so that a reader whose prefix is quiet need not read everything again."""
        return b": ping\n" + _identified(self._position)

    def look(self) -> None:
        if self._unsaid:
            return  # it has not read what it has
        with suppress(Unavailable):
            page = self._pages.after(self._position)
            if page.oldest > self._position + 1:
                self._position = self._pages.span()[1]
                self._unsaid.append(_reset(self._position))
            else:
                self._position, self._behind = page.end, not page.whole
                self._unsaid.extend(_joined(page, self._prefix))
        if self._unsaid:
            self.on_news()

    def close(self) -> None:
        """Nothing is held."""


def encode_status(status: VideoStatus) -> bytes:
    """One event of one video. JSON escapes line breaks, so its data is one line."""
    data = json.dumps(status_document(status), separators=(",", ":"))
    return f"id: {status.revision}\nevent: status\ndata: {data}\n\n".encode()


def encode_change(change: LoggedChange) -> bytes:
    """One event of the log."""
    data = json.dumps(change_document(change), separators=(",", ":"))
    return f"id: {change.position}\nevent: change\ndata: {data}\n\n".encode()


def _joined(page: _Page, prefix: str) -> list[bytes]:
    wanted = b"".join(event for key, event in page.events if key.startswith(prefix))
    return [wanted] if wanted else []


def _identified(position: int) -> bytes:
    """Lets a browser remember a position, and dispatches no event: there is no data."""
    return f"id: {position}\n\n".encode()


def _reset(position: int) -> bytes:
    """What was missed is not in the log any more."""
    return f'id: {position}\nevent: reset\ndata: {{"position":{position}}}\n\n'.encode()
