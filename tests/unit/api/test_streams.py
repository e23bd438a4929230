"""Streams: a video's changes until it is final, whatever fails on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from inspector.api.app import background
from inspector.api.board import StatusBoard
from inspector.api.feeder import Feeder
from inspector.api.feeds import PAGE, ChangesFeed, Pages
from inspector.api.finder import Finder
from inspector.api.problems import Problem
from inspector.api.stream import Streams
from inspector.model import State
from tests.services import wait_until
from tests.unit.api.fakes import BUCKET, OBJECT, FakeBucket, FakeSource

SSE = {"Accept": "text/event-stream"}


class Wire:
    """Streams over fakes, read in threads, as a server would."""

    def __init__(self, source: FakeSource, bucket: FakeBucket) -> None:
        self.source = source
        self.board = StatusBoard(source)
        self.finder = Finder(self.board, bucket, BUCKET, lambda key: True)
        self.feeder = Feeder(self.board, source.listener, poll_s=0.05, tick_s=0.01, pause_s=0.01)
        pages = Pages(source, BUCKET, self.feeder.heard)
        self.streams = Streams(self.finder, self.feeder, pages, limit=2, ping_s=0.1, tick_s=0.01)
        self.pool = ThreadPoolExecutor(4)
        self.heard: list[str] = []

    def read(self, key: str) -> Future[None]:
        """Follow the key in a thread; what comes is in `heard`."""
        first = self.finder.find(key)
        assert first is not None

        def follow() -> None:
            for chunk in self.streams.events(first):
                self.heard.append(chunk.decode())

        return self.pool.submit(follow)

    def statuses(self) -> list[str]:
        return [event["status"] for event in events("".join(self.heard))]

    def heard_status(self, status: str) -> None:
        wait_until(lambda: status in self.statuses(), timeout_s=5)


def events(text: str) -> list[dict[str, Any]]:
    """The data of each event."""
    lines = [line for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.fixture
def wire(source: FakeSource, bucket: FakeBucket) -> Iterator[Wire]:
    made = Wire(source, bucket)
    yield made
    made.streams.stop()
    made.pool.shutdown()
    made.feeder.stop()


@pytest.fixture
def fed_wire(wire: Wire) -> Wire:
    """With a feeder that hears nothing by polling."""
    wire.feeder.start()
    wait_until(lambda: wire.feeder.state.live, timeout_s=5)
    return wire


def test_a_stream_tells_of_changes_and_ends_with_the_final_state(fed_wire: Wire) -> None:
    fed_wire.source.put("a")
    reading = fed_wire.read("a")
    fed_wire.heard_status("queued")
    fed_wire.source.put("a", State.PROCESSING, progress=0.5)
    fed_wire.heard_status("processing")
    fed_wire.source.put("a", State.DONE)
    reading.result(5)
    assert fed_wire.statuses() == ["queued", "processing", "done"]


def test_without_a_feeder_a_stream_asks_the_database(wire: Wire) -> None:
    wire.source.put("a")
    reading = wire.read("a")
    wire.heard_status("queued")
    wire.source.put("a", State.DONE)
    reading.result(5)
    assert wire.statuses() == ["queued", "done"]


def test_a_change_between_look_up_and_subscription_is_told(wire: Wire) -> None:
    wire.source.put("a")
    first = wire.finder.find("a")
    assert first is not None
    wire.source.put("a", State.DONE)
    text = b"".join(wire.streams.events(first)).decode()
    assert [event["status"] for event in events(text)] == ["queued", "done"]


def test_a_final_status_is_told_once_and_ends_the_stream(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.REJECTED, reason="empty")
    answer = client.get("/status/a", headers=SSE)
    assert answer.content_type == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    lines = answer.text.split("\n")
    assert lines[:4] == ["retry: 2000", "", "id: 1", "event: status"]
    assert [event["error"]["reason"] for event in events(answer.text)] == ["empty"]


def test_a_browser_that_has_seen_the_end_is_told_not_to_come_back(
    source: FakeSource, client: FlaskClient
) -> None:
    source.put("a", State.DONE)
    assert client.get("/status/a", headers={**SSE, "Last-Event-ID": "1"}).status_code == 204
    source.put("a", State.DONE)
    assert client.get("/status/a", headers={**SSE, "Last-Event-ID": "1"}).status_code == 200


def test_a_pending_key_is_followed_from_the_bucket_to_the_end(wire: Wire, bucket: FakeBucket) -> None:
    bucket.objects["a"] = OBJECT
    reading = wire.read("a")
    wire.heard_status("pending")
    wire.source.put("a")
    wire.heard_status("queued")
    wire.source.put("a", State.DONE)
    reading.result(5)
    assert wire.statuses() == ["pending", "queued", "done"]


def test_a_pending_object_that_goes_is_removed(wire: Wire, bucket: FakeBucket) -> None:
    bucket.objects["a"] = OBJECT
    reading = wire.read("a")
    wire.heard_status("pending")
    bucket.down = True
    wait_until(lambda: ": ping\n\n" in wire.heard, timeout_s=5)
    bucket.down = False
    del bucket.objects["a"]
    reading.result(5)
    assert wire.statuses() == ["pending", "removed"]


def test_a_removed_video_that_is_back_is_followed(wire: Wire, bucket: FakeBucket) -> None:
    wire.source.put("a", State.REMOVED)
    bucket.objects["a"] = OBJECT
    reading = wire.read("a")
    wire.heard_status("pending")
    wire.source.put("a", State.DONE)
    reading.result(5)
    assert wire.statuses() == ["pending", "done"]


def test_a_stream_outlives_an_outage_of_the_database(fed_wire: Wire) -> None:
    fed_wire.source.put("a")
    reading = fed_wire.read("a")
    fed_wire.heard_status("queued")
    fed_wire.source.down = True
    wait_until(lambda: not fed_wire.feeder.state.live, timeout_s=5)
    wait_until(lambda: ": ping\n\n" in fed_wire.heard, timeout_s=5)
    fed_wire.source.down = False
    fed_wire.source.put("a", State.DONE)
    reading.result(5)
    assert fed_wire.statuses() == ["queued", "done"]


def test_a_stream_ends_when_its_video_leaves_the_database(fed_wire: Wire) -> None:
    video_id = fed_wire.source.put("a")
    reading = fed_wire.read("a")
    fed_wire.heard_status("queued")
    fed_wire.source.drop(video_id)
    reading.result(5)


def test_streams_end_when_the_server_stops(wire: Wire, bucket: FakeBucket) -> None:
    bucket.objects["pending"] = OBJECT
    wire.source.put("a")
    readings = [wire.read("pending"), wire.read("a")]
    wire.heard_status("pending")
    wire.heard_status("queued")
    wire.streams.stop()
    for reading in readings:
        reading.result(5)


def test_a_lagging_reader_is_told_the_latest_only(fed_wire: Wire) -> None:
    fed_wire.source.put("a")
    first = fed_wire.finder.find("a")
    assert first is not None
    stream = fed_wire.streams.events(first)
    next(stream)
    for step in range(200):
        fed_wire.source.put("a", State.PROCESSING, progress=step / 200)
    fed_wire.source.put("a", State.DONE)
    assert len(events(b"".join(stream).decode())) <= 3


def test_streams_are_bounded_and_places_are_given_back(wire: Wire) -> None:
    wire.streams.enter()
    wire.streams.enter()
    with pytest.raises(Problem) as refusal:
        wire.streams.enter()
    assert (refusal.value.status, refusal.value.slug) == (503, "too-many-streams")
    wire.streams.leave()
    wire.streams.enter()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_place_is_given_back_however_the_answer_ends(app: Flask, source: FakeSource, method: str) -> None:
    source.put("a", State.DONE)
    client = app.test_client()
    for _ in range(100):
        with client.open("/status/a", method=method, headers=SSE) as answer:
            assert answer.status_code == 200
    assert background(app).streams.open == 0


def test_no_subscription_is_left_behind(fed_wire: Wire) -> None:
    fed_wire.source.put("a")
    first = fed_wire.finder.find("a")
    assert first is not None
    stream = fed_wire.streams.events(first)
    next(stream)
    reading = threading.Thread(target=next, args=(stream,))
    reading.start()
    wait_until(lambda: fed_wire.board._readers, timeout_s=5)
    fed_wire.source.put("a", State.PROCESSING)
    reading.join()
    stream.close()  # type: ignore[attr-defined]  # a generator is closed when its reader goes away
    assert not fed_wire.board._readers


# ---------------------------------------------------------------- resuming, and all videos


def test_a_reader_that_knows_the_status_is_told_what_follows_only(
    source: FakeSource, app: Flask, client: FlaskClient
) -> None:
    source.put("a")
    answer = client.get("/status/a", headers={**SSE, "Last-Event-ID": "1"})
    said: Any = iter(answer.response)
    assert next(said) == b"retry: 2000\n\n"
    source.put("a", State.DONE)
    assert [event["status"] for event in events(b"".join(said).decode())] == ["done"]
    answer.close()
    assert background(app).streams.open == 0


class Everything:
    """A reader of `/events`."""

    def __init__(self, client: FlaskClient, query: str = "", position: str | None = None) -> None:
        headers = {} if position is None else {"Last-Event-ID": position}
        self.answer = client.get(f"/events{query}", headers=headers)
        self.chunks: Any = iter(self.answer.response)

    def next(self) -> str:
        text: str = next(self.chunks).decode()
        return text


@pytest.fixture
def listen(client: FlaskClient) -> Iterator[Callable[..., Everything]]:
    opened: list[Everything] = []

    def start(*arguments: str) -> Everything:
        opened.append(Everything(client, *arguments))
        return opened[-1]

    yield start
    for each in opened:
        each.answer.close()


Listen = Callable[..., Everything]


def test_every_change_of_every_video_is_told(source: FakeSource, listen: Listen) -> None:
    source.put("before")
    everything = listen()
    assert everything.next() == "retry: 2000\n\nid: 1\n\n"
    source.put("a")
    source.put("a", State.PROCESSING, progress=0.5)
    source.put("b")
    told = everything.next()
    assert [(e["position"], e["key"], e["status"]) for e in events(told)] == [
        (2, "a", "queued"),
        (3, "a", "processing"),
        (4, "b", "queued"),
    ]
    assert [line for line in told.split("\n") if line.startswith(("id", "event"))][:2] == [
        "id: 2",
        "event: change",
    ]


def test_a_reader_that_comes_back_is_told_what_it_missed(source: FakeSource, listen: Listen) -> None:
    for key in "abc":
        source.put(key)
    everything = listen("", "1")
    assert everything.next() == "retry: 2000\n\n"
    assert [event["key"] for event in events(everything.next())] == ["b", "c"]


@pytest.mark.parametrize("position", ["1", "99"], ids=["forgotten", "never was"])
def test_a_gap_that_cannot_be_filled_is_told(source: FakeSource, listen: Listen, position: str) -> None:
    for key in "abcde":
        source.put(key)
    source.forgotten = 3
    everything = listen("", position)
    assert everything.next().endswith('id: 5\nevent: reset\ndata: {"position":5}\n\n')
    source.put("f")
    assert [event["key"] for event in events(everything.next())] == ["f"]


def test_a_log_that_outran_its_reader_is_told(source: FakeSource, listen: Listen) -> None:
    everything = listen()
    everything.next()
    for key in "abc":
        source.put(key)
    source.forgotten = 2
    assert "event: reset" in everything.next()


def test_only_keys_with_the_prefix_are_told(source: FakeSource, listen: Listen) -> None:
    everything = listen("?prefix=x/")
    everything.next()
    for key in ("x/1", "y/1", "x/2"):
        source.put(key)
    assert [event["key"] for event in events(everything.next())] == ["x/1", "x/2"]


def test_a_ping_tells_where_we_are(source: FakeSource) -> None:
    feed = ChangesFeed(Pages(source, BUCKET, threading.Event()), "x/")
    source.put("y/1")
    feed.take()
    feed.look()
    assert feed.take() == b""
    assert feed.ping() == b": ping\nid: 1\n\n"


def test_readers_at_one_position_share_one_question(source: FakeSource) -> None:
    pages = Pages(source, BUCKET, threading.Event())
    feeds = [ChangesFeed(pages) for _ in range(50)]
    source.put("a")
    for feed in feeds:
        feed.take()
    asked = source.questions
    pages.renew()
    for feed in feeds:
        feed.look()
    assert source.questions == asked + 1
    assert len({feed.take() for feed in feeds}) == 1


def test_a_long_gap_is_told_piece_by_piece(source: FakeSource) -> None:
    for number in range(2 * PAGE + 1):
        source.put(f"{number}")
    wake = threading.Event()
    feed = ChangesFeed(Pages(source, BUCKET, wake), position=0)
    heard: list[int] = []
    for piece in (PAGE, 2 * PAGE, 2 * PAGE + 1):
        feed.take()
        feed.look()
        wake.clear()
        heard += [event["position"] for event in events(feed.take().decode())]
        assert heard == list(range(1, piece + 1))
        assert wake.is_set() is (piece <= 2 * PAGE), "who is behind asks for more at once"


def test_events_cannot_be_told_without_the_database(
    source: FakeSource, client: FlaskClient, app: Flask
) -> None:
    source.down = True
    assert client.get("/events").status_code == 503
    assert background(app).streams.open == 0
