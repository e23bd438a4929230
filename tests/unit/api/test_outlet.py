"""The outlet: many readers and one thread; whoever does not read waits for nobody's sake."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from inspector.api.outlet import Outlet
from inspector.metrics import STREAMS_DROPPED
from tests.services import wait_until


class Words:
    """A feed that says what it is given, and counts how often it was asked while it had something."""

    def __init__(self, *words: bytes) -> None:
        self.on_news: Callable[[], None] = lambda: None
        self.ended = False
        self.closed = threading.Event()
        self.taken = 0
        self._words = list(words)

    def say(self, words: bytes) -> None:
        self._words.append(words)
        self.on_news()

    def end(self) -> None:
        self.ended = True
        self.on_news()

    def take(self) -> bytes:
        if not self._words:
            return b""
        self.taken += 1
        return self._words.pop(0)

    def ping(self) -> bytes:
        return b": ping\n\n"

    def look(self) -> None:
        """Nothing to look at."""

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def outlet() -> Iterator[Outlet]:
    made = Outlet(ping_s=0.2, stall_s=0.3, tick_s=0.02)
    made.start()
    yield made
    made.stop()
    made.join()


def reader_of(outlet: Outlet, feed: Words) -> socket.socket:
    ours, theirs = _connected()
    outlet.take_over(ours, feed, lambda: None)
    return theirs


def _connected() -> tuple[socket.socket, socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        theirs = socket.socket()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        theirs.settimeout(5)
        theirs.connect(listener.getsockname())
        return listener.accept()[0], theirs


def test_what_a_feed_says_arrives_at_once_and_in_order(outlet: Outlet) -> None:
    feed = Words(b"one ")
    with closing(reader_of(outlet, feed)) as reader:
        assert reader.recv(100) == b"one "
        feed.say(b"two ")
        assert reader.recv(100) == b"two "
        feed.say(b"three")
        feed.end()
        assert reader.recv(100) == b"three"
        assert reader.recv(100) == b""
    assert feed.closed.wait(5)


def test_silence_is_filled_with_pings(outlet: Outlet) -> None:
    with closing(reader_of(outlet, Words())) as reader:
        assert reader.recv(100) == b": ping\n\n"


def test_a_reader_that_stops_reading_is_dropped_and_asked_no_more(outlet: Outlet) -> None:
    dropped = STREAMS_DROPPED._value.get()
    feed = Words(*[bytes(100_000)] * 100)
    with closing(reader_of(outlet, feed)):
        assert feed.closed.wait(10)
    assert feed.taken < 50, "what is not read is not taken either"
    assert STREAMS_DROPPED._value.get() == dropped + 1


def test_a_slow_reader_is_no_stalled_one_and_hears_everything(outlet: Outlet) -> None:
    feed = Words(*[bytes(50_000)] * 20)
    feed.ended = True
    with closing(reader_of(outlet, feed)) as reader:
        heard = 0
        while piece := reader.recv(1000):
            heard += len(piece)
    assert heard == 20 * 50_000


def test_others_are_told_while_one_does_not_read(outlet: Outlet) -> None:
    stalled, brisk = Words(*[bytes(100_000)] * 100), Words()
    with closing(reader_of(outlet, stalled)), closing(reader_of(outlet, brisk)) as reader:
        brisk.say(b"news")
        assert reader.recv(100) == b"news"


def test_a_reader_that_goes_is_forgotten(outlet: Outlet) -> None:
    feed = Words()
    reader_of(outlet, feed).close()
    assert feed.closed.wait(5)
    wait_until(lambda: not outlet.feeds, timeout_s=5)


@pytest.mark.expects_error_log
def test_a_fault_of_one_feed_ends_only_its_own_stream(outlet: Outlet) -> None:
    class Broken(Words):
        def take(self) -> bytes:
            raise ZeroDivisionError

    well = Words()
    with closing(reader_of(outlet, Broken())) as cut_off, closing(reader_of(outlet, well)) as reader:
        assert cut_off.recv(100) == b""
        well.say(b"news")
        assert reader.recv(100) == b"news"


def test_many_readers_share_one_thread(outlet: Outlet) -> None:
    before = threading.active_count()
    feeds = [Words() for _ in range(200)]
    readers = [reader_of(outlet, feed) for feed in feeds]
    for feed in feeds:
        feed.say(b"news")
    assert {reader.recv(100) for reader in readers} == {b"news"}
    assert threading.active_count() == before
    for reader in readers:
        reader.close()


def test_streams_end_at_once_when_asked_to(outlet: Outlet) -> None:
    feed = Words()
    with closing(reader_of(outlet, feed)) as reader:
        wait_until(lambda: outlet.feeds, timeout_s=5)
        outlet.stop()
        assert reader.recv(100) == b""
    assert feed.closed.wait(5)


def test_who_comes_after_the_end_is_let_go(outlet: Outlet) -> None:
    outlet.stop()
    feed = Words(b"never")
    with closing(reader_of(outlet, feed)) as reader:
        assert reader.recv(100) == b""
