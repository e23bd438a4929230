"""A worker as a whole: it ends itself, visibly, when its heart stops, and goes on when its queue is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from inspector import failpoints
from inspector.store import Database
from inspector.store.tables import WorkerRow
from inspector.wiring.adapters import make_uploads
from inspector.wiring.programs import make_outbox
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.worker import Worker
from tests.services import Endpoint, Places, places_at


@pytest.fixture
def places(ministack: Endpoint, tmp_path: Path) -> Places:
    places = places_at(
        ministack,
        tmp_path,
        lease_s=0.6,
        heartbeat_s=0.1,
        idle_poll_s=0.1,
        sweep_interval_s=0.5,
        poll_wait_s=0,
        shutdown_grace_s=1,
    )
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    for name in (places.queue.name, places.queue.dead_letter_name):
        places.queue.client.create_queue(QueueName=name)
    return places


@pytest.fixture
def worker(places: Places, database: Database, tmp_path: Path) -> Iterator[Worker]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    settings = places.settings
    uploads, outbox = make_uploads(settings), make_outbox(settings, database)
    yield Worker(database, places.bucket, places.queue, uploads, outbox, settings, pulse=tmp_path / "pulse")
    failpoints.install(None)
    for number, handler in before.items():
        signal.signal(number, handler)


def known_workers(db: Database) -> int:
    with db.begin() as tx:
        return len(tx.scalars(select(WorkerRow)).all())


class SecondBeat:
    """Calls `fail` at the second heartbeat."""

    def __init__(self, fail: Callable[[], object]) -> None:
        self._beats = 0
        self._fail = fail

    def __call__(self, step: str) -> None:
        self._beats += step == "beat"
        if step == "beat" and self._beats == 2:
            self._fail()


@pytest.mark.expects_error_log
def test_a_worker_whose_heartbeat_dies_ends_and_counts_as_lost(worker: Worker, database: Database) -> None:
    def die() -> None:
        raise RuntimeError("a bug")

    failpoints.install(SecondBeat(die))
    assert worker.run() == 1
    assert known_workers(database) == 1, "it did not take its leave"


@pytest.mark.expects_error_log
def test_a_worker_whose_heartbeat_hangs_ends_and_counts_as_lost(
    worker: Worker, database: Database, tmp_path: Path
) -> None:
    released = threading.Event()
    failpoints.install(SecondBeat(released.wait))
    try:
        assert worker.run() == 1
    finally:
        released.set()
    assert known_workers(database) == 1
    assert (tmp_path / "pulse").exists(), "it gave its pulse before"


def test_a_worker_that_is_asked_to_stop_takes_its_leave(worker: Worker, database: Database) -> None:
    failpoints.install(SecondBeat(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert worker.run() == 0
    assert known_workers(database) == 0


def test_a_connection_that_goes_silent_holds_up_no_stop(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = threading.Event()
    monkeypatch.setattr(Heartbeat, "leave", lambda _: silent.wait())
    failpoints.install(SecondBeat(lambda: os.kill(os.getpid(), signal.SIGTERM)))
    try:
        assert worker.run() == 0
    finally:
        silent.set()


def test_after_a_lost_queue_work_goes_on_within_one_sweep(worker: Worker, places: Places) -> None:
    steps: list[str] = []

    def lose_the_queues() -> None:
        sqs = places.queue.client
        for name in (places.queue.name, places.queue.dead_letter_name):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
        places.bucket.put("unannounced.mp4", b"no video")

    def hook(step: str) -> None:
        if step == "claimed":
            os.kill(os.getpid(), signal.SIGTERM)
        steps.append(step)
        if steps == ["swept"]:
            lose_the_queues()

    failpoints.install(lambda step: hook(step) if step in ("swept", "claimed") else None)
    assert worker.run() == 0
    assert steps[: steps.index("claimed")].count("swept") == 2
