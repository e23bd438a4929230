"""Each thing broken in turn, for real: the right row turns red, and names the right remedy."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from inspector.cli.client import StatusClient
from inspector.errors import ConfigError
from inspector.ops.checkup import Check, Result
from inspector.ops.examine import examine
from inspector.settings import SandboxChoice, Settings
from inspector.stack import announce_stack
from inspector.store import Database, workers
from inspector.wiring import doctor
from inspector.wiring.bootstrap import run_bootstrap
from inspector.wiring.doctor import examinations_of
from tests.services import Endpoint, Places, free_port, places_at

OK, WARNING, BAD, UNKNOWN = Result


@pytest.fixture(scope="module")
def places(
    ministack: Endpoint, shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Places:
    """One set-up for all tests; each mends what it breaks."""
    folder = tmp_path_factory.mktemp("doctor")
    url = shared_database.url
    places = places_at(ministack, folder, database_url=url, port=free_port(), poll_wait_s=1)
    assert run_bootstrap(places.settings).ok
    return places


@pytest.fixture
def db(places: Places, shared_database: Database) -> Database:
    """The database with one living worker and a sweep that has just ended, and nothing else."""
    run(shared_database, "TRUNCATE videos, workers, sweeps, changes CASCADE")
    with shared_database.begin() as tx:
        workers.beat(tx, "w1", host="h", pid=1, doing="", breaker_open=False)
    bucket = places.settings.bucket
    run(shared_database, "INSERT INTO sweeps (bucket, finished_at) VALUES (:bucket, now())", bucket=bucket)
    return shared_database


def run(db: Database, statement: str, **values: Any) -> None:
    with db.begin() as tx:
        tx.execute(text(statement), values)


def add_video(db: Database, bucket: str, state: str, due: str) -> None:
    run(
        db,
        "INSERT INTO videos (bucket, key, name, etag, size_bytes, last_modified, state, due_at)"
        " VALUES (:bucket, gen_random_uuid()::text, 'n', 'e', 1, now(), :state,"
        " now() - cast(:due AS interval))",
        bucket=bucket,
        state=state,
        due=due,
    )


def rows(settings: Settings, name: str) -> dict[str, Check]:
    """What the examination says that fills the row of this name."""
    web = StatusClient(settings, timeout_s=2)
    (chosen,) = [each for each in examinations_of(settings, web) if name in each.names]
    return {check.name: check for check in examine([chosen]).checks}


def row(settings: Settings, name: str) -> Check:
    return rows(settings, name)[name]


def changed(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update=values)


# ---------------------------------------------------------------- all well


def test_all_is_well_where_all_is_well(places: Places, db: Database) -> None:
    seen = {**rows(places.settings, "database"), **rows(places.settings, "S3 and SQS")}
    assert {name: check.result for name, check in seen.items() if check.result is not OK} == {}
    assert all(check.figure and not check.remedy for check in seen.values())
    assert row(places.settings, "round trip").result is OK
    assert places.bucket.list_page().objects == []


def test_the_database_of_another_bucket_is_refused(places: Places, db: Database) -> None:
    add_video(db, "another", "done", "0 s")
    with pytest.raises(ConfigError, match=r"bucket another, .* INSPECTOR_BUCKET=another"):
        run_bootstrap(places.settings)
    with db.begin() as tx:
        tx.execute(text("UPDATE videos SET state = 'removed'"))
    assert run_bootstrap(places.settings).ok


# ---------------------------------------------------------------- this machine


def test_without_ffmpeg(places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = rows(places.settings, "ffmpeg")
    assert (found["ffmpeg"].result, found["ffmpeg features"].result) == (BAD, UNKNOWN)
    assert "not installed" in found["ffmpeg"].figure
    assert "apt-get install ffmpeg" in found["ffmpeg"].remedy


def test_with_an_ffmpeg_that_lacks_parts(
    places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crippled = tmp_path / "ffmpeg"
    crippled.write_text(f'#!/bin/sh\n{shutil.which("ffmpeg")} "$@" | grep -Ev "framecrc|hevc"\n')
    crippled.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    check = row(places.settings, "ffmpeg features")
    assert (check.result, "muxer framecrc" in check.figure) == (BAD, True)
    assert "full build of ffmpeg" in check.remedy


def test_without_a_sandbox(places: Places) -> None:
    check = row(changed(places.settings, sandbox=SandboxChoice.NONE), "sandbox")
    assert (check.result, "bubblewrap" in check.remedy) == (WARNING, True)


def test_with_too_little_scratch_space(places: Places) -> None:
    check = row(changed(places.settings, scratch_reserve_bytes=2**60), "scratch space")
    assert (check.result, "INSPECTOR_SCRATCH_DIR" in check.remedy) == (BAD, True)


def test_with_a_file_in_the_place_of_the_scratch_folder(places: Places, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = row(changed(places.settings, scratch_dir=tmp_path / "file" / "scratch"), "scratch space")
    assert (check.result, "INSPECTOR_SCRATCH_DIR" in check.remedy) == (BAD, True)


# ---------------------------------------------------------------- the database


def test_without_a_database(places: Places) -> None:
    nowhere = f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/none"
    found = rows(with_database(places.settings, nowhere), "database")
    assert (found["database"].result, "start PostgreSQL" in found["database"].remedy) == (BAD, True)
    assert {check.result for name, check in found.items() if name != "database"} == {UNKNOWN}


def test_with_a_database_without_tables(places: Places, empty_database_url: str) -> None:
    found = rows(with_database(places.settings, empty_database_url), "database")
    assert (found["database"].result, found["tables"].result) == (OK, BAD)
    assert "inspector bootstrap" in found["tables"].remedy
    assert found["workers"].result is UNKNOWN


def with_database(settings: Settings, url: str) -> Settings:
    fresh = {name: getattr(settings, name) for name in settings.model_fields_set} | {"database_url": url}
    return Settings(**fresh)


# ---------------------------------------------------------------- the work


def old_heartbeats(db: Database, bucket: str) -> None:
    run(db, "UPDATE workers SET heartbeat_at = now() - interval '121 s'")


def no_workers(db: Database, bucket: str) -> None:
    run(db, "DELETE FROM workers")


def slow_heartbeats(db: Database, bucket: str) -> None:
    run(db, "UPDATE workers SET heartbeat_at = now() - interval '70 s'")


def a_lost_worker(db: Database, bucket: str) -> None:
    with db.begin() as tx:
        workers.beat(tx, "lost", host="h", pid=2, doing="", breaker_open=False)
    run(db, "UPDATE workers SET heartbeat_at = now() - interval '200 s' WHERE id = 'lost'")


def queued_without_workers(db: Database, bucket: str) -> None:
    add_video(db, bucket, "queued", "3 s")
    no_workers(db, bucket)


def queued_and_left(db: Database, bucket: str) -> None:
    add_video(db, bucket, "queued", "90 s")


def an_expired_lease(db: Database, bucket: str) -> None:
    add_video(db, bucket, "processing", "40 s")


def a_failed_job(db: Database, bucket: str) -> None:
    add_video(db, bucket, "failed", "40 s")


def a_late_sweep(db: Database, bucket: str) -> None:
    run(db, "UPDATE sweeps SET finished_at = now() - interval '2 h'")


def a_blocked_sweep(db: Database, bucket: str) -> None:
    run(db, "UPDATE sweeps SET blocked = '9 of 10 are gone'")


def an_open_breaker(db: Database, bucket: str) -> None:
    run(db, "UPDATE workers SET breaker_open = true")


@pytest.mark.parametrize(
    ("breaks", "name", "result", "remedy"),
    [
        (no_workers, "workers", BAD, "inspector work"),
        (old_heartbeats, "workers", BAD, "inspector work"),
        (slow_heartbeats, "workers", WARNING, "inspector work"),
        (a_lost_worker, "lost workers", WARNING, "log of that worker"),
        (queued_without_workers, "queued jobs", BAD, "start workers"),
        (queued_and_left, "queued jobs", BAD, "restart them"),
        (an_expired_lease, "leases", WARNING, "takes them over"),
        (a_failed_job, "failed jobs", WARNING, "redrive"),
        (a_late_sweep, "sweep", BAD, "inspector sweep"),
        (a_blocked_sweep, "sweep", BAD, "--confirm-removals"),
        (an_open_breaker, "queue breaker", BAD, "reach SQS"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_is_wrong_with_the_work(
    places: Places,
    db: Database,
    breaks: Callable[[Database, str], None],
    name: str,
    result: Result,
    remedy: str,
) -> None:
    breaks(db, places.settings.bucket)
    check = row(places.settings, name)
    assert (check.result, remedy in check.remedy) == (result, True), check


# ---------------------------------------------------------------- S3 and SQS


def test_without_s3_and_sqs(places: Places) -> None:
    nowhere = changed(places.settings, aws_endpoint_url=f"http://127.0.0.1:{free_port()}")
    found = rows(nowhere, "S3 and SQS")
    assert (found["S3 and SQS"].result, "AWS_ENDPOINT_URL" in found["S3 and SQS"].remedy) == (BAD, True)
    assert found["queue policy"].result is UNKNOWN
    assert row(nowhere, "round trip").result is BAD


def test_where_nobody_has_named_an_s3(places: Places) -> None:
    check = row(changed(places.settings, aws_endpoint_url=None), "S3 and SQS")
    assert (check.result, "no S3" in check.figure) == (BAD, True)


def queue_url(places: Places, name: str) -> str:
    return places.queue.client.get_queue_url(QueueName=name)["QueueUrl"]


def delete_queue(places: Places) -> None:
    places.queue.client.delete_queue(QueueUrl=queue_url(places, places.queue.name))


def delete_dead_letter_queue(places: Places) -> None:
    places.queue.client.delete_queue(QueueUrl=queue_url(places, places.queue.dead_letter_name))


def delete_bucket(places: Places) -> None:
    places.bucket.client.delete_bucket(Bucket=places.bucket.name)


def forbid_sending(places: Places) -> None:
    attributes = {"Policy": ""}
    url = queue_url(places, places.queue.name)
    places.queue.client.set_queue_attributes(QueueUrl=url, Attributes=attributes)  # type: ignore[arg-type]


def shut_browsers_out(places: Places) -> None:
    places.bucket.client.delete_bucket_cors(Bucket=places.bucket.name)


def stop_notifying(places: Places) -> None:
    places.bucket.client.put_bucket_notification_configuration(
        Bucket=places.bucket.name, NotificationConfiguration={}
    )


@pytest.mark.parametrize(
    ("breaks", "name"),
    [
        (delete_queue, "queue"),
        (delete_dead_letter_queue, "dead-letter queue"),
        (delete_bucket, "bucket"),
        (forbid_sending, "queue policy"),
        (shut_browsers_out, "CORS"),
        (stop_notifying, "notifications"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_is_missing_of_the_bootstrap(
    places: Places, breaks: Callable[[Places], None], name: str
) -> None:
    breaks(places)
    try:
        check = row(places.settings, name)
        assert (check.result, "inspector bootstrap" in check.remedy) == (BAD, True), check
        if breaks is delete_queue:
            assert row(places.settings, "messages").result is UNKNOWN
    finally:
        assert run_bootstrap(places.settings).ok


def test_a_probe_that_does_not_arrive(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROBE_S", 1.5)
    stop_notifying(places)
    try:
        check = row(places.settings, "round trip")
        assert (check.result, "inspector bootstrap" in check.remedy) == (BAD, True)
        assert "No event of the probe" in check.figure
        assert places.bucket.list_page().objects == []
    finally:
        assert run_bootstrap(places.settings).ok


def test_dead_letters(places: Places) -> None:
    for number in range(11):
        places.queue.dead_letter(f"letter {number}", "for a test")
    check = row(places.settings, "dead letters")
    assert (check.result, check.figure) == (BAD, "11 in the dead-letter queue")
    assert "reason" in check.remedy


# ---------------------------------------------------------------- the web


def test_without_a_web_server(places: Places) -> None:
    found = rows(places.settings, "web")
    assert (found["web"].result, "inspector serve" in found["web"].remedy) == (BAD, True)
    assert (found["readiness"].result, found["status board"].result) == (UNKNOWN, UNKNOWN)


def test_children_in_a_crash_loop(places: Places) -> None:
    note = announce_stack(places.settings, ["worker-1"])
    check = row(places.settings, "children")
    note.unlink()
    assert (check.result, "worker-1" in check.figure) == (BAD, True)


# ---------------------------------------------------------------- silence


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that takes connections, and never answers."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


def test_a_silent_web_server_is_given_up_within_seconds(places: Places) -> None:
    with black_hole() as port:
        found = rows(changed(places.settings, port=port), "web")
    assert (found["web"].result, "timed out" in found["web"].figure) == (BAD, True)
