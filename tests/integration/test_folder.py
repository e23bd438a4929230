"""A watched folder against a real bucket and a real database; the files are real, the clock is ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inspector.errors import BucketUnavailable, FileChanged, Interrupted
from inspector.model import State
from inspector.store import Database
from inspector.store.status import StatusReader
from inspector.worker.folder import Look, SteadyFile, Watcher, state_of, walk
from inspector.worker.ingest import Ingest
from tests.services import Endpoint, Places, places_at

SETTLE_S = 5.0


@dataclass
class Screen:
    """Remembers what was shown, and may do something in the midst of an upload."""

    troubles: list[tuple[str, str]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def began(self, key: str, size_bytes: int) -> None:
        self.meanwhile()

    def on_bytes(self, count: int) -> None: ...

    def ended(self, key: str, *, whole: bool) -> None: ...

    def trouble(self, path: Path, sentence: str) -> None:
        self.troubles.append((path.name, sentence))


@dataclass
class Room:
    """A folder, a bucket, and a clock that only we advance."""

    places: Places
    db: Database
    folder: Path

    def __post_init__(self) -> None:
        self.screen = Screen()
        self.now = 0.0
        self.stopped = False
        self.watcher = self.start()

    def start(self, *, again: bool = False) -> Watcher:
        bucket = self.places.bucket
        self.watcher = Watcher(
            self.db,
            bucket,
            Ingest(self.db, bucket, self.places.settings),
            self.folder,
            self.screen,
            wanted=lambda key: key.endswith(".mp4"),
            most_bytes=10**6,
            prefix="in/",
            settle_s=SETTLE_S,
            again=again,
            stopped=lambda: self.stopped,
            clock=lambda: self.now,
        )
        return self.watcher

    def put(self, name: str, content: bytes = b"bytes") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def look(self) -> Look:
        self.now += SETTLE_S
        return self.watcher.run_once()

    def settle(self) -> tuple[str, ...]:
        """Look until what lies there now has come to rest."""
        self.look()
        return self.look().uploaded

    def lies_there(self, key: str) -> bytes | None:
        return self.places.bucket.read(key, 0, 10**6)


@pytest.fixture
def room(ministack: Endpoint, database: Database, tmp_path: Path) -> Room:
    places = places_at(ministack, tmp_path)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    folder = tmp_path / "folder"
    folder.mkdir()
    return Room(places, database, folder)


def test_what_has_come_to_rest_is_uploaded_once_and_queued(room: Room) -> None:
    path = room.put("2026/a.mp4")
    room.put("notes.txt")
    assert room.look() == Look((), (path,))
    assert room.look() == Look(("in/2026/a.mp4",), ())
    assert room.look() == Look((), ())
    assert room.lies_there("in/2026/a.mp4") == b"bytes"
    status = StatusReader(room.db, min_score=0.5).by_key(room.places.bucket.name, "in/2026/a.mp4")
    assert status is not None
    assert status.state is State.QUEUED


def test_a_file_that_grows_waits(room: Room) -> None:
    for length in (1, 2, 3):
        room.put("a.mp4", b"x" * length)
        assert room.look().uploaded == ()
    assert room.look().uploaded == ("in/a.mp4",)
    assert room.lies_there("in/a.mp4") == b"xxx"


def test_another_start_uploads_only_what_is_new_or_has_changed(room: Room) -> None:
    room.put("old.mp4")
    room.put("changed.mp4")
    assert len(room.settle()) == 2
    room.put("changed.mp4", b"other bytes")
    room.put("new.mp4")
    room.start()
    assert room.settle() == ("in/changed.mp4", "in/new.mp4")


def test_what_was_removed_from_the_bucket_comes_back_only_when_asked_for(room: Room) -> None:
    room.put("a.mp4")
    room.settle()
    room.places.bucket.delete("in/a.mp4")
    room.start()
    assert room.settle() == ()
    room.start(again=True)
    assert room.settle() == ("in/a.mp4",)


def test_a_database_that_knows_nothing_asks_the_bucket(room: Room) -> None:
    room.put("a.mp4")
    room.settle()
    with room.db.begin() as tx:
        tx.connection().exec_driver_sql("TRUNCATE watched_files")
    room.start()
    assert room.settle() == ()
    assert room.look() == Look((), ())


def test_what_changes_while_it_is_uploaded_is_uploaded_again(room: Room) -> None:
    path = room.put("a.mp4", b"first")
    room.look()
    room.screen.meanwhile = lambda: path.write_bytes(b"other")
    os.utime(path, ns=(1, 1))
    room.look()
    assert room.look().uploaded == ()
    room.screen.meanwhile = lambda: None
    assert room.settle() == ("in/a.mp4",)
    assert room.lies_there("in/a.mp4") == b"other"


def test_a_file_that_shrinks_ends_its_upload(room: Room) -> None:
    path = room.put("a.mp4", b"x" * 100_000)
    room.look()
    room.screen.meanwhile = lambda: os.truncate(path, 10)
    assert room.look().uploaded == ()
    assert room.lies_there("in/a.mp4") is None
    room.screen.meanwhile = lambda: None
    assert room.settle() == ("in/a.mp4",)


def test_a_new_name_disturbs_no_upload(room: Room) -> None:
    path = room.put("a.mp4")
    room.look()
    room.screen.meanwhile = lambda: path.rename(path.with_name("b.mp4"))
    assert room.look().uploaded == ("in/a.mp4",)
    room.screen.meanwhile = lambda: None
    assert room.settle() == ("in/b.mp4",)


def test_what_cannot_be_read_is_told_once_and_taken_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.put("locked/a.mp4")
    room.put("b.mp4")
    listing = os.listdir

    def refuse(path: Path) -> list[str]:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert room.settle() == ("in/b.mp4",)
    assert room.screen.troubles == [("locked", "Permission denied")]
    assert room.watcher.troubles == 1
    monkeypatch.undo()
    assert room.settle() == ("in/locked/a.mp4",)
    assert room.watcher.troubles == 0


def test_a_name_that_cannot_be_a_key_and_a_file_that_is_too_large_are_told(room: Room) -> None:
    room.put("\udcff.mp4")
    room.put("large.mp4", b"x" * 1_000_001)
    room.settle()
    assert [name for name, _ in room.screen.troubles] == ["\udcff.mp4", "large.mp4"]


def test_being_stopped_ends_an_upload_and_leaves_nothing(room: Room) -> None:
    room.put("a.mp4")
    room.look()

    def stop() -> None:
        room.stopped = True

    room.screen.meanwhile = stop
    with pytest.raises(Interrupted):
        room.look()
    assert room.lies_there("in/a.mp4") is None


def test_a_bucket_that_is_away_loses_nothing(room: Room) -> None:
    room.put("a.mp4")
    room.look()
    client = room.places.bucket.client
    client.delete_bucket(Bucket=room.places.bucket.name)
    with pytest.raises(BucketUnavailable):
        room.look()
    client.create_bucket(Bucket=room.places.bucket.name)
    assert room.look().uploaded == ("in/a.mp4",)


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path, _ in walk(folder, lambda path, why: None)]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "film.mp4").write_bytes(b"x")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "again").symlink_to("a", target_is_directory=True)
    (tmp_path / "nowhere.mp4").symlink_to("gone.mp4")
    (tmp_path / "link.mp4").symlink_to("a/film.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / ".hidden.mp4").write_bytes(b"x")
    (tmp_path / "empty.mp4").touch()
    assert names(tmp_path) == ["link.mp4", "a/film.mp4"]


def test_a_file_is_read_as_it_was_seen_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"0123456789")
    with SteadyFile(path, state_of(path.stat())) as file:
        assert (file.read(4), file.read(4), file.read(4), file.read(4)) == (b"0123", b"4567", b"89", b"")
    with SteadyFile(path, state_of(path.stat())) as file:
        path.write_bytes(b"0123")
        with pytest.raises(FileChanged):
            file.read(8)
    with pytest.raises(FileChanged):
        SteadyFile(path, state_of(tmp_path.stat()))
