"""The feeder: it keeps the board true, survives what fails, and is replaced when it hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from inspector.api.board import StatusBoard
from inspector.api.feeder import Feeder
from inspector.api.ports import ChangeSource
from inspector.model import Change, State, VideoStatus
from tests.services import wait_until
from tests.unit.api.fakes import BUCKET, FakeSource

MakeFeeder = Callable[..., Feeder]


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def board(source: FakeSource) -> StatusBoard:
    return StatusBoard(source)


@pytest.fixture
def make_feeder(board: StatusBoard) -> Iterator[MakeFeeder]:
    """Started feeders with short pauses, stopped at the end."""
    made: list[Feeder] = []

    def make(factory: Callable[[], ChangeSource], *, poll_s: float = 0.05, stall_s: float = 30.0) -> Feeder:
        feeder = Feeder(board, factory, poll_s=poll_s, tick_s=0.01, pause_s=0.01, stall_s=stall_s)
        made.append(feeder)
        feeder.start()
        return feeder

    yield make
    for feeder in made:
        feeder.stop()


def read(board: StatusBoard) -> VideoStatus | None:
    return board.by_key(BUCKET, "a")


def is_done(board: StatusBoard) -> bool:
    found = read(board)
    return found is not None and found.state is State.DONE


def test_changes_reach_the_board(source: FakeSource, board: StatusBoard, make_feeder: MakeFeeder) -> None:
    feeder = make_feeder(source.listener, poll_s=60)
    wait_until(lambda: feeder.state.live, timeout_s=5)
    source.put("a")
    read(board)
    source.put("a", State.DONE)
    wait_until(lambda: is_done(board), timeout_s=4)
    assert feeder.state.problem is None


def test_the_poll_heals_lost_notifications(
    source: FakeSource, board: StatusBoard, make_feeder: MakeFeeder
) -> None:
    feeder = make_feeder(source.listener)
    wait_until(lambda: feeder.state.live, timeout_s=5)
    source.put("a")
    read(board)
    source.put("a", State.DONE, silently=True)
    wait_until(lambda: is_done(board), timeout_s=4)


def test_a_lost_connection_is_survived_and_said(
    source: FakeSource, board: StatusBoard, make_feeder: MakeFeeder
) -> None:
    feeder = make_feeder(source.listener)
    wait_until(lambda: feeder.state.live, timeout_s=5)
    source.down = True
    wait_until(lambda: not feeder.state.live, timeout_s=5)
    assert feeder.state.problem == "connection lost"
    source.down = False
    wait_until(lambda: feeder.state.live, timeout_s=5)
    assert feeder.state.restarts == 0


@pytest.mark.expects_error_log
def test_a_surprise_is_logged_and_survived(source: FakeSource, make_feeder: MakeFeeder) -> None:
    faults = iter([ValueError("nonsense")])

    def factory() -> ChangeSource:
        for fault in faults:
            raise fault
        return source.listener()

    feeder = make_feeder(factory)
    wait_until(lambda: feeder.state.live, timeout_s=5)


class Hanging:
    """A connection that is silent for ever, until the test lets it go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def wait(self, timeout_s: float) -> list[Change]:
        self.entered.set()
        self.release.wait()
        return []

    def close(self) -> None:
        pass


def test_a_feeder_that_hangs_is_replaced_and_changes_nothing_later(
    source: FakeSource, board: StatusBoard, make_feeder: MakeFeeder
) -> None:
    hanging = Hanging()
    sources: list[ChangeSource] = [hanging]
    feeder = make_feeder(lambda: sources.pop() if sources else source.listener(), stall_s=0.02)
    hanging.entered.wait(5)

    def replaced() -> bool:
        feeder.ensure()
        return feeder.state.live

    wait_until(replaced, timeout_s=5)
    assert feeder.state.restarts >= 1
    hanging.release.set()
    wait_until(lambda: threading.active_count() == 2, timeout_s=5)
    assert feeder.state.live


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_feeder_that_died_is_replaced(source: FakeSource, make_feeder: MakeFeeder) -> None:
    deaths = [SystemExit()]

    def factory() -> ChangeSource:
        if deaths:
            raise deaths.pop()
        return source.listener()

    feeder = make_feeder(factory)

    def replaced() -> bool:
        feeder.ensure()
        return feeder.state.live

    wait_until(replaced, timeout_s=5)
    assert feeder.state.restarts == 1


def test_a_stopped_feeder_stays_stopped(
    source: FakeSource, board: StatusBoard, make_feeder: MakeFeeder
) -> None:
    feeder = make_feeder(source.listener)
    wait_until(lambda: feeder.state.live, timeout_s=5)
    feeder.stop()
    feeder.ensure()
    assert not board.trusted
    assert "board-feeder" not in {thread.name for thread in threading.enumerate()}
