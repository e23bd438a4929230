"""What is kept longer than wanted goes, and nothing else; the rows are those of the real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, text, update

from inspector.cli.prune import prune as command
from inspector.model import Decision, Landmarks, Library, Verdict
from inspector.settings import Settings
from inspector.store import Database, landmarks, retention
from inspector.store.judgements import Judgement
from inspector.store.retention import Kind, Rules, Surplus
from inspector.store.tables import ContentRow, DecisionRow, LandmarkRow, MatchRow, VideoRow
from inspector.worker.prune import PAUSE_S, Pruning
from tests.services import settings_for_test
from tests.shelf import BUCKET, Shelf, empty

DAYS_30 = Rules(removed=timedelta(days=30))


@pytest.fixture
def shelf(shared_database: Database) -> Shelf:
    """Two duplicates and their clip; one of the two was removed 40 days ago, which nothing else names."""
    empty(shared_database)
    shelf = Shelf(shared_database)
    shelf.films("kept", "gone", "clip")
    shelf.alike("kept", "gone", "clip")
    with shelf.db.begin() as tx:
        for film in ("kept", "gone"):
            tokens = np.arange(1, 101)
            made = Landmarks(tokens, tokens * 10, tokens.astype(np.uint32))
            landmarks.replace(tx, Library.BUCKET, shelf.content_id(film), made)
    shelf.remove("gone.mp4")
    let_days_pass(shelf.db, 40)
    return shelf


def let_days_pass(db: Database, days: int) -> None:
    with db.begin() as tx:
        for statement in (
            "UPDATE videos SET finished_at = finished_at - make_interval(days => :d)",
            "UPDATE contents SET created_at = created_at - make_interval(days => :d)",
            "UPDATE outbox SET created_at = created_at - make_interval(days => :d)",
        ):
            tx.execute(text(statement), {"d": days})


def counts(db: Database) -> dict[str, int]:
    with db.begin() as tx:
        tables = (VideoRow, ContentRow, MatchRow, LandmarkRow)
        return {
            table.__tablename__: tx.scalar(select(func.count()).select_from(table)) or 0 for table in tables
        }


def settings_of(db: Database, tmp_path: Path, **values: float) -> Settings:
    url = db.engine.url.render_as_string(hide_password=False)
    return settings_for_test(database_url=url, data_dir=tmp_path, bucket=BUCKET, **values)


def run(db: Database, tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), obj=settings_of(db, tmp_path))


def test_a_removed_video_goes_with_all_that_is_known_of_it(shelf: Shelf) -> None:
    with shelf.db.begin() as tx:
        videos, contents = retention.survey(tx, BUCKET, DAYS_30)
        assert videos == Surplus(Kind.VIDEOS, 1)
        assert (contents.kind, contents.count) == (Kind.CONTENTS, 1)
        assert contents.size_bytes > 100 * 60
        assert retention.prune(tx, BUCKET, DAYS_30, limit=9) == {Kind.VIDEOS: 1, Kind.CONTENTS: 1}
    assert counts(shelf.db) == {"videos": 2, "contents": 2, "matches": 1, "landmarks": 100}
    assert shelf.groups() == [{"kept.mp4", "clip.mp4"}]


def test_what_was_removed_of_late_stays(shelf: Shelf) -> None:
    before = counts(shelf.db)
    with shelf.db.begin() as tx:
        assert not any(retention.prune(tx, BUCKET, Rules(removed=timedelta(days=41)), limit=9).values())
    assert counts(shelf.db) == before


def test_what_another_video_names_stays(shelf: Shelf) -> None:
    shelf.put("copy.mp4", "gone")
    with shelf.db.begin() as tx:
        assert retention.prune(tx, BUCKET, DAYS_30, limit=9) == {Kind.VIDEOS: 1, Kind.CONTENTS: 0}
    assert counts(shelf.db)["contents"] == 3


def test_bytes_that_were_overwritten_go_too(shelf: Shelf) -> None:
    shelf.put("clip.mp4", "another")
    with shelf.db.begin() as tx:
        assert retention.prune(tx, BUCKET, DAYS_30, limit=9)[Kind.CONTENTS] == 2


def test_a_fresh_content_is_left_to_whoever_is_about_to_name_it(shelf: Shelf) -> None:
    with shelf.db.begin() as tx:
        tx.execute(update(ContentRow).values(created_at=func.now()))
        assert retention.prune(tx, BUCKET, DAYS_30, limit=9)[Kind.CONTENTS] == 0


def test_decisions_outlive_what_they_speak_of(shelf: Shelf) -> None:
    pair = shelf.reviews.pairs(Verdict.DUPLICATE).items[0]
    shelf.reviews.decide([Judgement(pair.id, Decision.NOT_A_MATCH)], actor="somebody")
    with shelf.db.begin() as tx:
        retention.prune(tx, BUCKET, Rules(removed=timedelta(0)), limit=9)
        assert tx.scalar(select(func.count()).select_from(DecisionRow)) == 1


def test_scanned_files_go_by_a_rule_of_their_own(shelf: Shelf) -> None:
    with shelf.db.begin() as tx:
        tx.execute(update(ContentRow).values(library=Library.SCAN))
        assert retention.prune(tx, BUCKET, Rules(scans=timedelta(days=30)), limit=2) == {Kind.SCANS: 2}
        assert retention.prune(tx, BUCKET, Rules(scans=timedelta(days=30)), limit=2) == {Kind.SCANS: 1}


def test_workers_heed_the_settings_by_themselves(shelf: Shelf, tmp_path: Path) -> None:
    forgetful = settings_of(shelf.db, tmp_path, keep_removed_days=30)
    assert Pruning(shelf.db, BUCKET, forgetful).run_once() == 0.0, "there may be more"
    assert counts(shelf.db)["videos"] == 2
    assert Pruning(shelf.db, BUCKET, forgetful).run_once() == PAUSE_S


def test_by_default_removed_videos_stay(shelf: Shelf, tmp_path: Path) -> None:
    before = counts(shelf.db)
    assert Pruning(shelf.db, BUCKET, settings_of(shelf.db, tmp_path)).run_once() == PAUSE_S
    assert counts(shelf.db) == before


def test_the_command_removes_nothing_unasked(shelf: Shelf, tmp_path: Path) -> None:
    before = counts(shelf.db)
    for arguments in (["--removed-days", "30"], ["--removed-days", "30", "--dry-run"]):
        shown = run(shelf.db, tmp_path, *arguments)
        assert shown.exit_code == 0
        assert "removed videos                1" in shown.stdout
        assert "--yes" in shown.stderr
    assert counts(shelf.db) == before
    assert run(shelf.db, tmp_path, "--dry-run", "--yes").exit_code == 2
    done = run(shelf.db, tmp_path, "--removed-days", "30", "--yes")
    assert "removed;" in done.stderr
    assert counts(shelf.db)["contents"] == 2
    assert run(shelf.db, tmp_path).output == "nothing is kept longer than wanted\n"
