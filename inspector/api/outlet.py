"""The outlet: one thread that owns the sockets of all streams, so that no reader holds a thread.

A reader is written to as fast as it reads and no faster: the next event is taken from its feed when the last
one has gone out, so at most one event waits here, and `SEND_BYTES` in the kernel, however long the reader
pauses. One that takes nothing for `stall_s` is dropped.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any, Final

import structlog

from inspector.api.feeds import Feed
from inspector.metrics import STREAMS_DROPPED

PING_S: Final = 15.0  # proxies close what is silent for a minute or less
STALL_S: Final = 20.0  # before the kernel gives up, who counts nothing
TICK_S: Final = 0.5  # how often pings and stalls are looked for
SEND_BYTES: Final = 64 * 1024
LINGER_S: Final = 2.0  # for the other side to close, once it has everything
_READ_BYTES: Final = 4096  # a reader has nothing to say; what it says is thrown away

log = structlog.get_logger(__name__)


class _Reader:
    """One socket and what it is to be told. Only the outlet's thread touches it, `rung` apart."""

    __slots__ = ("client", "events", "feed", "moved_at", "on_end", "rung", "unsent", "until")

    def __init__(self, client: socket.socket, feed: Feed, on_end: Callable[[], None], now: float) -> None:
        self.client = client
        self.feed = feed
        self.on_end = on_end
        self.unsent = memoryview(b"")
        self.moved_at = now  # when it last took something, or began to have nothing to take
        self.events = EVENT_READ
        self.rung = False
        self.until: float | None = None  # told everything: when to close, if it does not

    def close(self) -> None:
        self.client.close()
        self.feed.close()
        self.on_end()


class Outlet:
    """`take_over` may be called by any thread, after `start`; `stop` even by a signal handler."""

    def __init__(
        self,
        *,
        ping_s: float = PING_S,
        stall_s: float = STALL_S,
        tick_s: float = TICK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ping_s = ping_s
        self._stall_s = stall_s
        self._tick_s = tick_s
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._arriving: deque[_Reader] = deque()
        self._rung: deque[_Reader] = deque()
        self._readers: dict[socket.socket, _Reader] = {}
        self._bell: socket.socket | None = None

    @property
    def feeds(self) -> list[Feed]:
        """What is being read at the moment."""
        return [reader.feed for reader in list(self._readers.values()) if reader.until is None]

    def start(self) -> None:
        """Start the thread, once; after the fork."""
        with self._lock:
            if self._thread is None:
                self._bell, listening = socket.socketpair()
                self._bell.setblocking(False)
                self._thread = threading.Thread(
                    target=self._run, args=(listening, self._bell), name="streams", daemon=True
                )
                self._thread.start()

    def take_over(self, client: socket.socket, feed: Feed, on_end: Callable[[], None]) -> None:
        """Tell `client` what `feed` says, until the end. The socket is ours from now on.

        on_end: called once, when the reader is gone or has everything.
        """
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = _Reader(client, feed, on_end, self._clock())
        if self._stopping:
            reader.close()
            return
        feed.on_news = partial(self._ring, reader)
        self._arriving.append(reader)
        self._wake()

    def stop(self) -> None:
        """Ask the thread to end all streams. Takes no lock."""
        self._stopping = True
        self._wake()

    def join(self, timeout_s: float = 5.0) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _ring(self, reader: _Reader) -> None:
        if not reader.rung:
            reader.rung = True
            self._rung.append(reader)
            self._wake()

    def _wake(self) -> None:
        bell = self._bell
        try:
            if bell is not None:
                bell.send(b"\0")
        except OSError:
            return  # full: it wakes anyway; closed: there is nobody to wake

    # ------------------------------------------------------------ in the thread

    def _run(self, listening: socket.socket, bell: socket.socket) -> None:
        listening.setblocking(False)
        with DefaultSelector() as selector, listening, bell:
            selector.register(listening, EVENT_READ)
            tick_at = self._clock()
            while not self._stopping:
                for key, events in selector.select(self._tick_s):
                    if key.data is None:
                        listening.recv(_READ_BYTES)
                    else:
                        self._guarded(selector, key.data, partial(self._ready, events=events))
                self._admit(selector)
                while self._rung:
                    reader = self._rung.popleft()
                    reader.rung = False  # before its feed is asked: what comes later rings again
                    self._guarded(selector, reader, self._pump)
                if self._clock() >= tick_at:
                    tick_at = self._clock() + self._tick_s
                    self._tick(selector)
            for reader in [*self._readers.values(), *self._arriving]:
                self._end(selector, reader)

    def _guarded(
        self, selector: DefaultSelector, reader: _Reader, act: Callable[[DefaultSelector, _Reader], None]
    ) -> None:
        """A fault in what one reader is told must not end the streams of all others."""
        if reader.client not in self._readers:
            return
        try:
            act(selector, reader)
        except OSError:
            self._end(selector, reader)
        except Exception:
            log.exception("stream_failed")
            self._end(selector, reader)

    def _admit(self, selector: DefaultSelector) -> None:
        while self._arriving:
            reader = self._arriving.popleft()
            self._readers[reader.client] = reader
            selector.register(reader.client, EVENT_READ, reader)
            self._guarded(selector, reader, self._pump)

    def _ready(self, selector: DefaultSelector, reader: _Reader, *, events: int) -> None:
        if events & EVENT_READ and not reader.client.recv(_READ_BYTES):
            self._end(selector, reader)
        elif events & EVENT_WRITE:
            self._pump(selector, reader)

    def _pump(self, selector: DefaultSelector, reader: _Reader) -> None:
        """Write until the reader takes no more, or there is no more to take."""
        while reader.until is None:
            if not reader.unsent:
                reader.unsent = memoryview(reader.feed.take())
                reader.moved_at = self._clock()
            if not reader.unsent:
                if reader.feed.ended:
                    reader.client.shutdown(socket.SHUT_WR)
                    reader.until = self._clock() + LINGER_S
                break
            try:
                sent = reader.client.send(reader.unsent)
            except BlockingIOError:
                break
            reader.unsent = reader.unsent[sent:]
            reader.moved_at = self._clock()
        wanted = EVENT_READ | (EVENT_WRITE if reader.unsent else 0)
        if wanted != reader.events:
            selector.modify(reader.client, wanted, reader)
            reader.events = wanted

    def _tick(self, selector: DefaultSelector) -> None:
        now = self._clock()
        for reader in list(self._readers.values()):
            silent_s = now - reader.moved_at
            if reader.until is not None:
                if now >= reader.until:
                    self._end(selector, reader)
            elif reader.unsent:
                if silent_s >= self._stall_s:
                    STREAMS_DROPPED.inc()
                    log.info("stalled_reader_dropped", silent_s=round(silent_s, 1))
                    self._end(selector, reader)
            elif silent_s >= self._ping_s:
                reader.unsent = memoryview(reader.feed.ping())
                self._guarded(selector, reader, self._pump)

    def _end(self, selector: DefaultSelector, reader: _Reader) -> None:
        known: Any = self._readers.pop(reader.client, None)
        if known is not None:
            selector.unregister(reader.client)
        reader.close()
