"""PostgreSQL keeps the contract that the web was built against, and the whole web runs on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from inspector.api import create_app
from inspector.api.app import background
from inspector.api.board import StatusBoard
from inspector.api.feeder import Feeder
from inspector.model import Lease, Library, MediaInfo, ObjectState, Progress, State
from inspector.store import Database, contents, jobs, videos
from inspector.store.listen import ChangeListener
from inspector.store.shown import PageReader
from inspector.store.status import StatusReader
from tests.integration.rest import fingerprint
from tests.services import settings_for_test, wait_until
from tests.unit.api.fakes import BUCKET, FakeBucket
from tests.unit.api.source_contract import StatusSourceContract, World

OBJECT = ObjectState(10, "etag", datetime(2026, 1, 1, tzinfo=UTC))
MEDIA = MediaInfo("mp4", 10.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 10)


def enqueue(db: Database, key: str) -> int:
    with db.begin() as tx:
        return videos.enqueue(tx, BUCKET, key, OBJECT, sequencer=None)


def claim(db: Database, key: str) -> Lease:
    """Claim this job before all others."""
    with db.begin() as tx:
        tx.execute(text("UPDATE videos SET priority = -1 WHERE key = :key"), {"key": key})
        lease = jobs.claim(tx, "w", lease_s=60, max_attempts=9)
    assert lease is not None
    assert lease.key == key
    return lease


def finish(db: Database, key: str) -> None:
    lease = claim(db, key)
    with db.begin() as tx:
        content_id = contents.save(tx, Library.BUCKET, key.encode().ljust(32), MEDIA, fingerprint())
        jobs.finish(tx, lease, content_id)


def remove(db: Database, key: str) -> None:
    with db.begin() as tx:
        known = videos.find(tx, BUCKET, key)
        assert known is not None
        videos.remove(tx, known, sequencer=None)


class TestStatusReader(StatusSourceContract):
    @pytest.fixture
    def world(self, database: Database) -> World:
        return World(
            source=StatusReader(database, min_score=0.5),
            changes=lambda: ChangeListener(database),
            bucket=BUCKET,
            enqueue=lambda key: enqueue(database, key),
            finish=lambda key: finish(database, key),
            remove=lambda key: remove(database, key),
        )


@pytest.fixture
def boards(database: Database) -> Iterator[list[StatusBoard]]:
    """Two boards, as in two web processes, each with its feeder."""
    made = [StatusBoard(StatusReader(database, min_score=0.5)) for _ in range(2)]
    feeders = [Feeder(board, lambda: ChangeListener(database), tick_s=0.1) for board in made]
    for feeder in feeders:
        feeder.start()
    wait_until(lambda: all(board.trusted for board in made), timeout_s=10)
    yield made
    for feeder in feeders:
        feeder.stop()


def test_boards_of_several_processes_follow_changes_of_several_workers(
    database: Database, boards: list[StatusBoard]
) -> None:
    keys = [f"{n}.mp4" for n in range(8)]
    for key in keys:
        enqueue(database, key)
        for board in boards:
            board.by_key(BUCKET, key)
    workers = [threading.Thread(target=finish_all, args=(database, keys[n::2])) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    def states() -> set[State]:
        seen = [board.by_key(BUCKET, key) for board in boards for key in keys]
        return {status.state for status in seen if status is not None}

    wait_until(lambda: states() == {State.DONE}, timeout_s=10)


def finish_all(db: Database, keys: list[str]) -> None:
    for key in keys:
        lease = claim_one(db, key)
        for part in (0.2, 0.5, 0.9):
            with db.begin() as tx:
                jobs.report(tx, lease, Progress(part))
        with db.begin() as tx:
            content_id = contents.save(tx, Library.BUCKET, key.encode().ljust(32), MEDIA, fingerprint())
            jobs.finish(tx, lease, content_id)


_claiming = threading.Lock()


def claim_one(db: Database, key: str) -> Lease:
    with _claiming:
        return claim(db, key)


def test_a_board_whose_connections_were_cut_is_true_again(
    database: Database, boards: list[StatusBoard]
) -> None:
    enqueue(database, "a")
    for board in boards:
        board.by_key(BUCKET, "a")
    with database.begin() as tx:
        tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    finish(database, "a")
    wait_until(lambda: all(board.trusted for board in boards), timeout_s=20)
    for board in boards:
        found = board.by_key(BUCKET, "a")
        assert found is not None
        assert found.state is State.DONE


def test_the_whole_web_answers_from_postgresql(database: Database, tmp_path: Path) -> None:
    enqueue(database, "films/a b.mp4")
    finish(database, "films/a b.mp4")
    settings = settings_for_test(data_dir=tmp_path, bucket=BUCKET)
    source = StatusReader(database, min_score=0.5)
    pages = PageReader(database, source, BUCKET)
    app = create_app(settings, source, lambda: ChangeListener(database), FakeBucket(), page_source=pages)
    background(app).start()
    try:
        client = app.test_client()
        answer = client.get("/status/films/a%20b.mp4").get_json()
        assert (answer["status"], answer["total_cuts"], answer["progress"]) == ("done", 2, 1.0)
        assert answer["media"]["width"] == 640
        assert "a b.mp4" in client.get("/?state=done&q=A B").text
        assert client.get("/video/films/a%20b.mp4").status_code == 200
        assert client.get("/system").status_code == 200
        assert client.get("/readyz").get_json()["checks"]["database"]["ok"] is True
        assert b'inspector_jobs{state="done"} 1.0' in client.get("/metrics").data
        assert client.get("/status?before=9223372036854775807").status_code == 200
    finally:
        background(app).stop()


def test_a_database_that_is_gone_makes_us_unready(database_url: str, tmp_path: Path) -> None:
    with closing(Database(database_url.replace("/test_", "/gone_test_"))) as nowhere:
        settings = settings_for_test(data_dir=tmp_path, bucket=BUCKET)
        source = StatusReader(nowhere, min_score=0.5)
        client = create_app(settings, source, lambda: ChangeListener(nowhere), FakeBucket()).test_client()
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503
        answer = client.get("/status/a")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.get_json()["type"] == "urn:inspector:problem:database-unavailable"
        assert b"inspector_database_up 0.0" in client.get("/metrics").data
