"""The monitor with real parts: what it heals, what it leaves to a person, and what it says of it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from inspector.cli.client import StatusClient
from inspector.model import State, WorkerStatus
from inspector.ops.checkup import Result
from inspector.ops.monitor import Monitor
from inspector.settings import Settings
from inspector.store import Database, monitors
from inspector.store.status import StatusReader
from inspector.wiring.bootstrap import run_bootstrap
from inspector.wiring.monitor import monitoring
from tests.services import Endpoint, Places, free_port, places_at, running, wait_until

pytestmark = pytest.mark.expects_error_log  # what is bad is an error in its log


@pytest.fixture(scope="module")
def places(
    ministack: Endpoint, shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Places:
    places = places_at(
        ministack,
        tmp_path_factory.mktemp("monitor"),
        database_url=shared_database.url,
        port=free_port(),
        poll_wait_s=1,
        worker_metrics_port=0,
        shutdown_grace_s=5,
    )
    assert run_bootstrap(places.settings).ok
    return places


@pytest.fixture
def db(places: Places, shared_database: Database) -> Database:
    run(shared_database, "TRUNCATE videos, workers, monitors, recoveries, changes CASCADE")
    return shared_database


def run(db: Database, statement: str, **values: Any) -> None:
    with db.begin() as tx:
        tx.execute(text(statement), values)


@contextmanager
def monitor(settings: Settings, *, recover: bool = True) -> Iterator[Monitor]:
    web = StatusClient(settings, timeout_s=2)
    with monitoring(settings, web, every_s=60, recover=recover, probe=False) as watcher:
        yield watcher


def said(logged: Any, event: str) -> dict[str, Any]:
    """The fields of each entry of this event, by what it is about."""
    return {entry.get("kind", entry.get("check")): entry for entry in logged if entry["event"] == event}


def steady(db: Database, bucket: str, host: str) -> None:
    """As if this monitor had looked every minute for ten minutes."""
    with db.begin() as tx:
        monitors.record_round(tx, bucket, host, every_s=60, result="ok")
    run(db, "UPDATE monitors SET since = now() - interval '10 min'")


def lose_a_job(db: Database, bucket: str) -> None:
    run(
        db,
        "INSERT INTO videos (bucket, key, name, etag, size_bytes, last_modified, state, due_at, attempts,"
        " lease_token) VALUES (:bucket, 'lost.mp4', 'lost.mp4', 'e', 1, now(), 'processing',"
        " now() - interval '1 min', 1, gen_random_uuid())",
        bucket=bucket,
    )


def lose_the_queue(places: Places) -> None:
    url = places.queue.client.get_queue_url(QueueName=places.queue.name)["QueueUrl"]
    places.queue.client.delete_queue(QueueUrl=url)


def test_it_heals_what_may_be_healed_and_does_not_insist(places: Places, db: Database) -> None:
    lose_the_queue(places)
    lose_a_job(db, places.settings.bucket)
    with monitor(places.settings) as watcher, structlog.testing.capture_logs() as logged:
        report = watcher.run_once()
        assert report.result is Result.BAD
        changes, taken = said(logged, "check_changed"), said(logged, "recovery_taken")
        assert changes["queue"]["log_level"] == "error"
        assert "inspector bootstrap" in changes["queue"]["remedy"]
        assert "created" in taken["bootstrap"]["outcome"]
        assert taken["requeue_expired"]["outcome"].startswith("1 jobs")
        places.queue.depths()  # it is there again
        reader = StatusReader(db, min_score=0.5)
        lost = reader.by_key(places.settings.bucket, "lost.mp4")
        assert lost is not None
        assert (lost.state, lost.attempts) == (State.QUEUED, 1)
        assert (reader.overview(places.settings.bucket).monitor_age_s or 99) < 60

        lose_the_queue(places)
        logged.clear()
        watcher.run_once()
        assert set(said(logged, "recovery_withheld")) == {"bootstrap"}
        assert said(logged, "recovery_taken") == {}
    assert run_bootstrap(places.settings).ok


def test_who_only_watches_touches_nothing(places: Places, db: Database) -> None:
    lose_a_job(db, places.settings.bucket)
    with monitor(places.settings, recover=False) as watcher:
        watcher.run_once()
    lost = StatusReader(db, min_score=0.5).by_key(places.settings.bucket, "lost.mp4")
    assert lost is not None
    assert lost.state is State.PROCESSING
    with db.begin() as tx:
        assert monitors.past_recoveries(tx, places.settings.bucket, within_s=3600) == []


def test_without_a_database_it_goes_on_looking(places: Places) -> None:
    nowhere = f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/none"
    fields = {name: getattr(places.settings, name) for name in places.settings.model_fields_set}
    with (
        monitor(Settings(**(fields | {"database_url": nowhere}))) as watcher,
        structlog.testing.capture_logs() as logged,
    ):
        assert watcher.run_once().result is Result.BAD
    assert [entry["event"] for entry in logged][-1] == "monitor_cannot_heal"


def test_a_worker_that_hangs_is_restarted_by_its_supervisor(places: Places, db: Database) -> None:
    settings = places.settings
    environment = {**settings.as_environment(), "INSPECTOR_DATABASE_URL": db.url}
    reader = StatusReader(db, min_score=0.5)

    def workers(count: int) -> tuple[WorkerStatus, ...]:
        found = reader.overview(settings.bucket).workers
        return found if len(found) >= count else ()

    argv = (sys.executable, "-m", "inspector", "work", "--workers", "2")
    with running(argv, environment, settings.data_dir / "work.log") as supervisor:
        hung = wait_until(lambda: workers(2), supervisor)[0]
        os.kill(hung.pid, signal.SIGSTOP)
        silent = "UPDATE workers SET heartbeat_at = now() - interval '130 s' WHERE id = :id"
        # No process has so high a number.
        gone = (
            "INSERT INTO workers (id, host, pid, doing, breaker_open)"
            " VALUES ('gone', :host, 4194304, '', false)"
        )
        run(db, gone, host=hung.host)
        for worker_id in (hung.worker_id, "gone"):
            run(db, silent, id=worker_id)
        steady(db, settings.bucket, hung.host)
        with monitor(settings) as watcher, structlog.testing.capture_logs() as logged:
            watcher.run_once()
        assert f"killed process {hung.pid}" in said(logged, "recovery_taken")["restart_worker"]["outcome"]
        assert said(logged, "recovery_failed") == {}, "the dead are left in peace"
        wait_until(lambda: workers(4), supervisor)  # the lost ones stay on the list
