"""Jobs on the real PostgreSQL: leases, fencing, attempts, dead letters."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from inspector.errors import DatabaseBusy, DatabaseUnavailable, LeaseLost, RejectReason
from inspector.model import Lease, ObjectState, Priority, Progress, State
from inspector.store import Database, jobs, videos
from inspector.store.tables import VideoRow

OBJECT = ObjectState(10, "etag", datetime(2026, 1, 1, tzinfo=UTC))


def enqueue(db: Database, *keys: str) -> None:
    with db.begin() as tx:
        for key in keys:
            videos.enqueue(tx, "videos", key, OBJECT, sequencer=None)


def claim(db: Database, *, worker: str = "w1", lease_s: float = 60, max_attempts: int = 3) -> Lease | None:
    with db.begin() as tx:
        return jobs.claim(tx, worker, lease_s=lease_s, max_attempts=max_attempts)


def claimed(db: Database, **options: Any) -> Lease:
    lease = claim(db, **options)
    assert lease is not None
    return lease


def row_of(db: Database, key: str = "a") -> VideoRow:
    with db.begin() as tx:
        return tx.scalars(select(VideoRow).where(VideoRow.key == key)).one()


def let_time_pass(db: Database, seconds: float) -> None:
    """Move every deadline into the past: leases and pauses are judged by the database's clock alone."""
    with db.begin() as tx:
        tx.execute(text("UPDATE videos SET due_at = due_at - make_interval(secs => :s)"), {"s": seconds})


def test_a_job_is_claimed_once(database: Database) -> None:
    enqueue(database, "a")
    lease = claimed(database)
    assert (lease.key, lease.attempt, lease.object) == ("a", 1, OBJECT)
    assert claim(database) is None


def test_concurrent_workers_never_get_the_same_job(database: Database) -> None:
    enqueue(database, *map(str, range(60)))

    def drain(worker: int) -> list[str]:
        keys = []
        while lease := claim(database, worker=f"w{worker}"):
            keys.append(lease.key)
        return keys

    with ThreadPoolExecutor(6) as pool:
        taken = [key for keys in pool.map(drain, range(6)) for key in keys]
    assert sorted(taken) == sorted(map(str, range(60)))


def test_an_expired_lease_is_claimed_by_another_and_the_first_can_write_nothing(database: Database) -> None:
    enqueue(database, "a")
    first = claimed(database)
    let_time_pass(database, 61)
    second = claimed(database, worker="w2")
    assert second.attempt == 2
    writes: list[Callable[[Session], object]] = [
        lambda tx: jobs.extend(tx, first, lease_s=60),
        lambda tx: jobs.lock(tx, first),
        lambda tx: jobs.report(tx, first, Progress(0.9)),
        lambda tx: jobs.name_content(tx, first, 1),
        lambda tx: jobs.finish(tx, first, 1),
        lambda tx: jobs.reject(tx, first, RejectReason.EMPTY, ""),
        lambda tx: jobs.retry(tx, first, "late", pause_s=0),
        lambda tx: jobs.release(tx, first),
    ]
    for write in writes:
        with pytest.raises(LeaseLost), database.begin() as tx:
            write(tx)
    assert (row_of(database).state, row_of(database).worker_id) == (State.PROCESSING, "w2")


def test_a_heartbeat_keeps_the_lease(database: Database) -> None:
    enqueue(database, "a")
    lease = claimed(database)
    let_time_pass(database, 50)
    with database.begin() as tx:
        jobs.extend(tx, lease, lease_s=60)
    let_time_pass(database, 50)
    assert claim(database) is None


def test_an_overwritten_object_takes_the_job_away_from_its_worker(database: Database) -> None:
    enqueue(database, "a")
    stale = claimed(database)
    enqueue(database, "a")
    with pytest.raises(LeaseLost), database.begin() as tx:
        jobs.lock(tx, stale)
    assert claimed(database).attempt == 1


def test_a_failed_attempt_is_repeated_after_a_pause_until_the_last_one_fails(database: Database) -> None:
    enqueue(database, "a")
    for attempt in (1, 2):
        with database.begin() as tx:
            assert jobs.retry(tx, claimed(database), "broken", pause_s=30) is State.QUEUED
        assert claim(database) is None, "the pause is not over"
        let_time_pass(database, 31)
        assert row_of(database).attempts == attempt
    with database.begin() as tx:
        assert jobs.retry(tx, claimed(database), "broken\x00", pause_s=30) is State.FAILED
    assert (row_of(database).state, row_of(database).error) == (State.FAILED, "broken")
    let_time_pass(database, 1000)
    assert claim(database) is None


def test_workers_that_die_use_up_the_attempts(database: Database) -> None:
    enqueue(database, "a")
    for _ in range(3):
        claimed(database)
        let_time_pass(database, 61)
    assert claim(database) is None
    with database.begin() as tx:
        assert jobs.fail_exhausted(tx, max_attempts=3) == 1
    assert row_of(database).state == State.FAILED


def test_a_released_job_does_not_count_as_an_attempt(database: Database) -> None:
    enqueue(database, "a")
    with database.begin() as tx:
        jobs.release(tx, claimed(database))
    assert claimed(database).attempt == 1


def test_urgent_jobs_come_first_then_the_oldest(database: Database) -> None:
    with database.begin() as tx:
        videos.enqueue(tx, "videos", "backfill", OBJECT, sequencer=None, priority=Priority.BACKLOG)
    enqueue(database, "first", "second")
    assert [claimed(database).key for _ in range(3)] == ["first", "second", "backfill"]


def test_whose_worker_has_died_does_not_wait_behind_those_who_came_first(database: Database) -> None:
    enqueue(database, "first")
    orphan = claimed(database, lease_s=60)
    let_time_pass(database, 61)
    enqueue(database, *map(str, range(3)))
    with database.begin() as tx:
        tx.execute(text("UPDATE videos SET due_at = due_at - interval '1 day' WHERE state = 'queued'"))
    assert [claimed(database).key for _ in range(2)] == [orphan.key, "0"]


def test_a_failed_job_is_dead_lettered_once(database: Database) -> None:
    enqueue(database, "a")
    with database.begin() as tx:
        jobs.retry(tx, claimed(database, max_attempts=1), "broken", pause_s=0)
    with database.begin() as tx:
        assert [(letter.key, letter.error) for letter in jobs.undelivered(tx)] == [("a", "broken")]
    with database.begin() as tx:
        assert list(jobs.undelivered(tx)) == []


def test_a_dead_letter_that_could_not_be_sent_is_sent_again(database: Database) -> None:
    enqueue(database, "a")
    with database.begin() as tx:
        jobs.retry(tx, claimed(database, max_attempts=1), "broken", pause_s=0)

    def fail_to_send(tx: Session) -> None:
        for _ in jobs.undelivered(tx):
            raise ConnectionError

    with pytest.raises(ConnectionError), database.begin() as tx:
        fail_to_send(tx)
    with database.begin() as tx:
        assert len(list(jobs.undelivered(tx))) == 1


@pytest.mark.parametrize(
    ("index", "query"),
    [
        (
            "videos_due",
            "EXPLAIN SELECT id FROM videos WHERE state = 'queued' AND due_at <= now() AND attempts < 3 "
            "ORDER BY priority, due_at LIMIT 1",
        ),
        (
            "videos_leased",
            "EXPLAIN SELECT id FROM videos WHERE state = 'processing' AND due_at <= now() AND attempts < 3 "
            "ORDER BY due_at LIMIT 1",
        ),
    ],
)
def test_claiming_uses_an_index(database: Database, index: str, query: str) -> None:
    with database.begin() as tx:
        tx.execute(
            text(
                "INSERT INTO videos (bucket, key, name, etag, size_bytes, last_modified, state) "
                "SELECT 'videos', n::text, n::text, '', 1, now(), 'done' FROM generate_series(1, 5000) n"
            )
        )
        tx.execute(text("ANALYZE videos"))
        assert index in "\n".join(tx.scalars(text(query)))


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(5)", DatabaseBusy),
        ("SET LOCAL transaction_read_only = on; INSERT INTO probes (key) VALUES ('x')", DatabaseUnavailable),
        ("SELECT pg_terminate_backend(pg_backend_pid())", DatabaseUnavailable),
        ("SELECT * FROM no_such_table", DatabaseUnavailable),
    ],
)
def test_what_the_server_cannot_do_now_is_an_outage_and_no_bug(
    database: Database, statement: str, error: type[DatabaseUnavailable]
) -> None:
    with pytest.raises(error), database.begin() as tx:
        tx.execute(text(statement))
