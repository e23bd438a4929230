"""A dump of the database, restored into an empty one, is the whole inspector: nothing else has to be kept."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, make_url, select, text

from inspector.matching import query_landmarks
from inspector.model import Decision, Library, MediaInfo, ObjectState, State
from inspector.stack.cluster import binaries
from inspector.store import Database, contents, jobs, landmarks, matches, migrate, videos
from inspector.store.judgements import Judgement
from inspector.store.migrate import is_migrated
from inspector.store.status import StatusReader
from inspector.store.tables import Base
from inspector.worker.inspect import Examined, search, store_content
from tests.shelf import BUCKET, UPLOADED, Shelf, empty, sha256_of
from tests.unit.fingerprint.pictures import film, fingerprint_of

SECONDS = 60.0
CUTS = tuple(np.arange(2.3, SECONDS, 3.7))
MEDIA = MediaInfo("mov", SECONDS, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 1000)


def inspected(db: Database, film_name: str, seconds: float) -> int:
    """A film that is inspected as ever, but for the decoding. Returns the id of its content."""
    seen = fingerprint_of(film(tuple(c for c in CUTS if c < seconds), seconds), None)
    with db.begin() as tx:
        found = ObjectState(1000, f"etag of {film_name}", UPLOADED)
        videos.enqueue(tx, BUCKET, f"{film_name}.mp4", found, sequencer="1")
        lease = jobs.claim(tx, "w", lease_s=60, max_attempts=3)
        assert lease is not None
        content = store_content(tx, Library.BUCKET, sha256_of(film_name), Examined(MEDIA, seen, None))
    pairs = search(db, Library.BUCKET, content.id, lambda: False)
    with db.begin() as tx:
        matches.save(tx, pairs)
        jobs.finish(tx, lease, content.id)
        contents.mark_searched(tx, content.id)
    return content.id


@pytest.fixture
def shelf(shared_database: Database) -> Shelf:
    """A film, its first half, a decision on the two, a removed video and a job that waits."""
    empty(shared_database)
    shelf = Shelf(shared_database)
    for name, seconds in (("film", SECONDS), ("half", SECONDS / 2)):
        inspected(shelf.db, name, seconds)
    shelf.films("one", "two")
    shelf.alike("one", "two")
    group = shelf.reviews.groups().items[0]
    shelf.reviews.decide([Judgement(group.id, Decision.DUPLICATE, keep="one.mp4")], actor="somebody")
    shelf.remove("two.mp4")
    with shelf.db.begin() as tx:
        found = ObjectState(1, "e", UPLOADED)
        videos.enqueue(tx, BUCKET, "waiting.mp4", found, sequencer="2")
    return shelf


@pytest.fixture
def restored(shelf: Shelf, empty_database_url: str, tmp_path: Path) -> Iterator[Database]:
    """Another database, made of nothing but a dump."""
    dump = tmp_path / "inspector.dump"
    run("pg_dump", "--format=custom", f"--file={dump}", _plain(shelf.db.engine.url))
    run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={_plain(empty_database_url)}", str(dump))
    with closing(Database(empty_database_url)) as db:
        yield db


def run(program: str, *arguments: str) -> None:
    subprocess.run([str(binaries() / program), *arguments], check=True, timeout=60)


def _plain(url: object) -> str:
    """As PostgreSQL's own programs read it."""
    shown = make_url(url)  # type: ignore[arg-type]
    return shown.set(drivername="postgresql").render_as_string(hide_password=False)


def rows_of(db: Database) -> dict[str, int]:
    with db.begin() as tx:
        return {
            table.name: tx.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def test_everything_is_found_again(shelf: Shelf, restored: Database) -> None:
    assert is_migrated(restored)
    assert not migrate(restored)
    assert rows_of(restored) == rows_of(shelf.db)
    before, after = (StatusReader(db, min_score=0.5) for db in (shelf.db, restored))
    for key in ("film.mp4", "half.mp4", "one.mp4", "two.mp4", "waiting.mp4"):
        assert after.by_key(BUCKET, key) == before.by_key(BUCKET, key)
    half = after.by_key(BUCKET, "half.mp4")
    assert half is not None
    assert [other.key for other in half.duplicates] == ["film.mp4"]
    old, new = shelf.reviews, Shelf(restored).reviews
    assert new.decisions(before=None, limit=9) == old.decisions(before=None, limit=9)
    assert new.groups(undecided=False) == old.groups(undecided=False)


def test_the_index_of_the_copy_answers(shelf: Shelf, restored: Database) -> None:
    half, film_id = (shelf.content_id(name) for name in ("half", "film"))
    with restored.begin() as tx:
        mine = contents.load(tx, [half])[half]
        found = landmarks.look_up(tx, Library.BUCKET, half, query_landmarks(mine.fingerprint))
    assert set(found.content_ids) == {film_id}
    assert [pair.content_a for pair in search(restored, Library.BUCKET, half, lambda: False)]


def test_work_goes_on_in_the_copy(shelf: Shelf, restored: Database) -> None:
    with shelf.db.begin() as tx:
        last = tx.execute(text("SELECT last_value FROM revisions")).scalar_one()
    with restored.begin() as tx:
        lease = jobs.claim(tx, "w", lease_s=60, max_attempts=3)
        assert lease is not None
        assert lease.key == "waiting.mp4"
    status = StatusReader(restored, min_score=0.5).by_key(BUCKET, "waiting.mp4")
    assert status is not None
    assert status.state is State.PROCESSING
    assert status.revision > last, "no revision is given twice"
    other = inspected(restored, "another", SECONDS)
    assert other not in {shelf.content_id(name) for name in ("film", "half", "one", "two")}
    copy = StatusReader(restored, min_score=0.5).by_key(BUCKET, "another.mp4")
    assert copy is not None
    assert {match.key for match in copy.duplicates} == {"film.mp4", "half.mp4"}
