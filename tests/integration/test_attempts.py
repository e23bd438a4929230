"""Every attempt at a video leaves a trace: which worker, from when to when, and what came of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from inspector.errors import RejectReason
from inspector.model import State
from inspector.store import Database, attempts, jobs
from inspector.store.attempts import Attempt, AttemptOutcome
from tests.integration.rest import Shelf, rest_app, rest_settings


def tried(shelf: Shelf, video_id: int) -> list[Attempt]:
    with shelf.db.begin() as tx:
        return attempts.of_video(tx, video_id)


def outcomes(shelf: Shelf, video_id: int) -> list[tuple[int, AttemptOutcome | None, str | None]]:
    return [(each.number, each.outcome, each.reason) for each in tried(shelf, video_id)]


def expire(shelf: Shelf) -> None:
    """The lease ran out a moment ago."""
    with shelf.db.begin() as tx:
        tx.execute(text("UPDATE videos SET due_at = now() - interval '1 s' WHERE state = 'processing'"))


def test_each_attempt_is_remembered_with_its_worker_and_its_end(database: Database) -> None:
    shelf = Shelf(database, "videos")
    video_id = shelf.put("a")
    lease = shelf.claim("a", max_attempts=9)
    (present,) = tried(shelf, video_id)
    assert (present.worker, present.ended_at, present.outcome) == ("w", None, None)
    with database.begin() as tx:
        jobs.retry(tx, lease, "broken pipe", pause_s=0)
    with database.begin() as tx:
        jobs.release(tx, shelf.claim("a", max_attempts=9), error="the disk is full")
    shelf.claim("a", max_attempts=9)
    expire(shelf)
    lease = shelf.claim("a", max_attempts=9)
    with database.begin() as tx:
        jobs.finish(tx, lease, shelf.content("a"))
    assert outcomes(shelf, video_id) == [
        (1, AttemptOutcome.RETRIED, "broken pipe"),
        (2, AttemptOutcome.RELEASED, "the disk is full"),
        (2, AttemptOutcome.LOST, None),
        (3, AttemptOutcome.DONE, None),
    ]
    assert all(each.ended_at and each.ended_at >= each.started_at for each in tried(shelf, video_id))


def test_an_attempt_ends_with_whatever_ends_its_job(database: Database) -> None:
    shelf = Shelf(database, "videos")
    rejected = shelf.put("bad")
    with database.begin() as tx:
        jobs.reject(tx, shelf.claim("bad"), RejectReason.NOT_MEDIA, "no video")
    failed = shelf.put("failed", State.FAILED)
    spent = shelf.put("spent")
    shelf.claim("spent")
    expire(shelf)
    with database.begin() as tx:
        assert jobs.fail_exhausted(tx, max_attempts=1) == 1
    gone, overwritten = shelf.put("gone"), shelf.put("overwritten")
    for key in ("gone", "overwritten"):
        shelf.claim(key)
    shelf.remove("gone")
    shelf.put("overwritten")
    assert [outcomes(shelf, each) for each in (rejected, failed, spent, gone, overwritten)] == [
        [(1, AttemptOutcome.REJECTED, "not_media: no video")],
        [(1, AttemptOutcome.FAILED, "broken")],
        [(1, AttemptOutcome.LOST, None)],
        [(1, AttemptOutcome.REMOVED, None)],
        [(1, AttemptOutcome.SUPERSEDED, None)],
    ]


def test_a_video_that_is_handed_back_for_ever_keeps_only_its_last_attempts(database: Database) -> None:
    shelf = Shelf(database, "videos")
    video_id = shelf.put("a")
    for _ in range(55):
        with database.begin() as tx:
            jobs.release(tx, shelf.claim("a"))
    assert len(tried(shelf, video_id)) == 50


def test_page_and_api_show_the_attempts(database: Database, tmp_path: Path) -> None:
    shelf = Shelf(database, "videos")
    video_id = shelf.put("a", State.FAILED)
    client = rest_app(database, rest_settings(tmp_path)).test_client()
    (attempt,) = client.get(f"/api/v1/videos/{video_id}/attempts").get_json()["attempts"]
    assert (attempt["number"], attempt["worker"], attempt["outcome"], attempt["reason"]) == (
        1,
        "w",
        "failed",
        "broken",
    )
    page = client.get("/video/a").get_data(as_text=True)
    assert "attempt 1: failed, and it was the last" in page
    assert "by w, in 0.0 s, broken" in page
    assert client.get("/api/v1/videos/999/attempts").status_code == 404
