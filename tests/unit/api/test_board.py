"""The board: order of revisions, bounded memory, nothing shared between readers."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inspector.api.board import StatusBoard, Subscription
from inspector.errors import DatabaseUnavailable
from inspector.model import Change, DuplicateStatus, Evidence, Segment, State, Verdict, VideoStatus
from tests.unit.api.fakes import BUCKET, FakeSource


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(source: FakeSource, clock: Clock) -> StatusBoard:
    """A trusted board."""
    made = StatusBoard(source, capacity=10, clock=clock)
    made.begin()
    return made


def told(subscription: Subscription) -> VideoStatus | None:
    """What a subscriber has heard since it last asked."""
    news = subscription.take()
    return news.status() if news else None


def read(board: StatusBoard, key: str = "a") -> VideoStatus:
    found = board.by_key(BUCKET, key)
    assert found is not None
    return found


def test_the_second_read_is_answered_from_memory(source: FakeSource, board: StatusBoard) -> None:
    source.put("a")
    first = read(board)
    asked = source.questions
    assert read(board) == first
    assert source.questions == asked


def test_nothing_is_remembered_before_the_feeder_listens(source: FakeSource, clock: Clock) -> None:
    board = StatusBoard(source, clock=clock)
    source.put("a")
    read(board)
    source.put("a", State.DONE, silently=True)
    assert read(board).state is State.DONE


def test_memory_is_not_used_once_the_poll_is_overdue(
    source: FakeSource, board: StatusBoard, clock: Clock
) -> None:
    source.put("a")
    read(board)
    source.put("a", State.DONE, silently=True)
    assert read(board).state is State.QUEUED
    clock.now += 5.1
    assert read(board).state is State.DONE


def test_a_notification_lets_the_next_read_see_the_change(source: FakeSource, board: StatusBoard) -> None:
    video_id = source.put("a")
    read(board)
    source.put("a", State.PROCESSING, progress=0.5)
    board.apply([Change("video", video_id)])
    assert read(board).progress == 0.5


def test_a_changed_content_changes_all_its_videos(source: FakeSource, board: StatusBoard) -> None:
    for key, content_id in (("a", 7), ("b", 7), ("c", 8)):
        source.put(key, State.DONE, content_id=content_id)
        read(board, key)
    source.touch_content(7, sha256="new")
    source.touch_content(8, sha256="new")
    board.apply([Change("content", 7)])
    assert [read(board, key).sha256 for key in "abc"] == ["new", "new", None]


def test_the_poll_finds_what_no_notification_told(source: FakeSource, board: StatusBoard) -> None:
    video_id = source.put("a")
    gone = source.put("b")
    read(board)
    read(board, "b")
    source.put("a", State.DONE, silently=True)
    source.drop(gone)
    board.verify()
    assert read(board).state is State.DONE
    assert board.by_key(BUCKET, "b") is None
    assert read(board).video_id == video_id


def test_a_read_overtaken_by_a_change_is_answered_but_not_remembered(
    source: FakeSource, board: StatusBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = source.put("a")
    old = source.by_key(BUCKET, "a")

    def slow(bucket: str, key: str) -> VideoStatus | None:
        source.put("a", State.DONE)
        board.apply([Change("video", video_id)])
        return old

    with monkeypatch.context() as patch:
        patch.setattr(source, "by_key", slow)
        assert read(board) == old
    assert read(board).state is State.DONE


def test_an_older_revision_never_replaces_a_newer_one(
    source: FakeSource, board: StatusBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.put("x/a")
    old = source.by_key(BUCKET, "x/a")
    source.put("x/a", State.DONE)
    newest = read(board, "x/a")
    monkeypatch.setattr(source, "by_name", lambda *_: old)
    assert board.by_name(BUCKET, "a") == newest
    assert read(board, "x/a") == newest


def test_what_was_least_recently_read_is_forgotten_first(source: FakeSource, board: StatusBoard) -> None:
    for n in range(10):
        source.put(str(n))
        read(board, str(n))
    read(board, "0")
    source.put("10")
    read(board, "10")
    assert board.size == 10
    asked = source.questions
    read(board, "0")
    assert source.questions == asked
    read(board, "1")
    assert source.questions == asked + 1


def test_memory_is_bounded_in_bytes_too(source: FakeSource) -> None:
    board = StatusBoard(source, capacity_bytes=100_000)
    board.begin()
    for n in range(20):
        source.put(str(n), scene_cuts=tuple(float(i) for i in range(2000)))
        read(board, str(n))
    assert 0 < board.size < 10


def test_an_interrupted_feeder_leaves_nothing_in_memory(source: FakeSource, board: StatusBoard) -> None:
    source.put("a")
    read(board)
    board.distrust()
    assert (board.size, board.trusted) == (0, False)
    source.down = True
    with pytest.raises(DatabaseUnavailable):
        read(board)


# ---------------------------------------------------------------- subscriptions


def test_a_subscriber_hears_only_the_latest_of_many_changes(source: FakeSource, board: StatusBoard) -> None:
    video_id = source.put("a")
    with board.subscribe(read(board)) as subscription:
        for step in range(1000):
            source.put("a", State.PROCESSING, progress=step / 1000)
            board.apply([Change("video", video_id)])
        news = told(subscription)
        assert news is not None
        assert news.progress == 0.999
        assert told(subscription) is None


def test_a_subscriber_is_not_told_what_it_has_seen(source: FakeSource, board: StatusBoard) -> None:
    video_id = source.put("a")
    with board.subscribe(read(board)) as subscription:
        board.apply([Change("video", video_id)])
        board.refresh([video_id])
        assert told(subscription) is None


def test_a_change_that_shares_its_revision_with_another_is_told(
    source: FakeSource, board: StatusBoard
) -> None:
    """A status shows two rows; the row with the smaller revision may be committed last."""
    video_id = source.put("a")
    seen = read(board)
    with board.subscribe(seen) as subscription:
        source._videos[video_id] = replace(seen, progress=0.5)
        board.apply([Change("video", video_id)])
        news = told(subscription)
        assert news is not None
        assert (news.revision, news.progress) == (seen.revision, 0.5)


def test_a_subscriber_hears_what_its_video_s_content_shows(source: FakeSource, board: StatusBoard) -> None:
    source.put("a", State.PROCESSING, content_id=7)
    with board.subscribe(read(board)) as subscription:
        source.touch_content(7, sha256="new")
        board.apply([Change("content", 7)])
        news = told(subscription)
        assert news is not None
        assert news.sha256 == "new"


def test_the_poll_reaches_subscribers(source: FakeSource, board: StatusBoard) -> None:
    source.put("a")
    with board.subscribe(read(board)) as subscription:
        source.put("a", State.DONE, silently=True)
        board.verify()
        news = told(subscription)
        assert news is not None
        assert news.state is State.DONE


def test_a_subscriber_learns_that_its_video_left_the_database(source: FakeSource, board: StatusBoard) -> None:
    video_id = source.put("a")
    with board.subscribe(read(board)) as subscription:
        source.drop(video_id)
        board.apply([Change("video", video_id)])
        assert told(subscription) is None
        assert subscription.gone


def test_what_changed_while_nobody_listened_is_told_afterwards(
    source: FakeSource, board: StatusBoard
) -> None:
    source.put("a")
    with board.subscribe(read(board)) as subscription:
        board.distrust()
        source.put("a", State.DONE, silently=True)
        board.begin()
        news = told(subscription)
        assert news is not None
        assert news.state is State.DONE


# ---------------------------------------------------------------- many threads


def telling(step: int) -> dict[str, Any]:
    """Fields that all say `step`, so that a torn or shared status shows."""
    duplicate = DuplicateStatus(
        step, BUCKET, str(step), Verdict.PARTIAL, 0.5, 1.0, (Segment(step, step, step, step, 0.5),),
        Evidence(cuts=step, weights={"cuts": float(step)}),
    )  # fmt: skip
    return {"attempts": step, "scene_cuts": (float(step),) * 20, "duplicates": (duplicate,) * 3}


def agrees_with_itself(status: VideoStatus) -> bool:
    step = status.attempts
    return status.scene_cuts == (float(step),) * 20 and all(
        (d.video_id, d.evidence.cuts, d.evidence.weights) == (step, step, {"cuts": float(step)})
        for d in status.duplicates
    )


class Crowd:
    """A board with five videos, and those who read, follow, feed and write at once."""

    KEYS = tuple(f"video-{n}" for n in range(5))
    READERS = 6
    FOLLOWERS = 3

    def __init__(self) -> None:
        self.source = FakeSource()
        self.board = StatusBoard(self.source, capacity=3)
        self.board.begin()
        for key in self.KEYS:
            self.source.put(key, **telling(0))
        self.start = threading.Barrier(self.READERS + self.FOLLOWERS + 2)
        self.written, self.fed = threading.Event(), threading.Event()

    def read(self, seed: int) -> int:
        """Read at random, and spoil what was read. Returns how many videos were seen."""
        chance = random.Random(seed)
        newest: dict[str, int] = {}
        self.start.wait()
        for _ in range(400):
            status = read(self.board, chance.choice(self.KEYS))
            assert agrees_with_itself(status)
            assert status.revision >= newest.get(status.key, 0)
            newest[status.key] = status.revision
            spoil(status)
        return len(newest)

    def follow(self, key: str) -> int:
        """Follow one video, and spoil what was heard. Returns the last revision."""
        first = read(self.board, key)
        heard = [first.revision]
        with self.board.subscribe(first) as subscription:
            self.start.wait()
            fed = False
            while not fed:
                fed = self.fed.is_set()
                while (news := told(subscription)) is not None:
                    assert agrees_with_itself(news)
                    heard.append(news.revision)
                    spoil(news)
        assert heard == sorted(heard)
        return heard[-1]

    def feed(self) -> None:
        changes = self.source.listener()
        changes.wait(0.0)
        self.start.wait()
        try:
            while not self.written.is_set():
                self.board.apply(changes.wait(0.001))
            self.board.verify()
        finally:
            self.fed.set()

    def write(self) -> None:
        self.start.wait()
        try:
            for step in range(1, 400):
                self.source.put(self.KEYS[step % 5], State.PROCESSING, **telling(step))
        finally:
            self.written.set()


def test_no_reader_can_change_or_tear_what_another_reads() -> None:
    """Every reading is whole, in the order of revisions, and untouched by what others do to theirs."""
    crowd = Crowd()
    with ThreadPoolExecutor(11) as pool:
        readers = [pool.submit(crowd.read, seed) for seed in range(crowd.READERS)]
        followers = [pool.submit(crowd.follow, key) for key in crowd.KEYS[: crowd.FOLLOWERS]]
        feeder, writer = pool.submit(crowd.feed), pool.submit(crowd.write)
        assert [reader.result(60) for reader in readers] == [5] * crowd.READERS
        writer.result(60)
        feeder.result(60)
        followed = [follower.result(60) for follower in followers]
    last = list(crowd.source.revisions(range(1, 6)).values())
    assert followed == last[: crowd.FOLLOWERS]
    assert [read(crowd.board, key).revision for key in crowd.KEYS] == last


def spoil(status: VideoStatus) -> None:
    """Change everything that Python lets a careless or hostile reader change."""
    for duplicate in status.duplicates:
        duplicate.evidence.weights.clear()
        object.__setattr__(duplicate, "video_id", -1)
    object.__setattr__(status, "scene_cuts", ())
    object.__setattr__(status, "attempts", -1)


class BoardAgainstSource(RuleBasedStateMachine):
    """Any order of deeds: what is read is never older than what every notification so far has told."""

    def __init__(self) -> None:
        super().__init__()
        self.source = FakeSource()
        self.clock = Clock()
        self.board = StatusBoard(self.source, capacity=2, clock=self.clock)
        self.changes = self.source.listener()
        self.changes.wait(0.0)
        self.board.begin()
        self.told: dict[str, int] = {}

    @rule(key=st.sampled_from("abc"), silently=st.booleans())
    def change(self, key: str, silently: bool) -> None:
        self.source.put(key, State.PROCESSING, silently=silently)

    @rule()
    def hear(self) -> None:
        heard = self.changes.wait(0.0)
        self.board.apply(heard)
        for status in self.source.by_ids({change.id for change in heard}):
            self.told[status.key] = status.revision

    @rule()
    def poll(self) -> None:
        self.board.verify()
        for status in self.source.by_ids(range(1, 4)):
            self.told[status.key] = status.revision

    @rule(seconds=st.sampled_from([1.0, 6.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def interrupt(self) -> None:
        self.board.distrust()

    @rule()
    def resume(self) -> None:
        self.board.begin()
        self.poll()

    @rule(key=st.sampled_from("abc"))
    def read(self, key: str) -> None:
        found = self.board.by_key(BUCKET, key)
        revision = 0 if found is None else found.revision
        assert revision >= self.told.get(key, 0)
        self.told[key] = revision

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.board.size <= 2


TestBoardAgainstSource = BoardAgainstSource.TestCase
TestBoardAgainstSource.settings = settings(max_examples=60, stateful_step_count=30)
