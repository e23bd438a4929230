"""Thumbnails: made of every inspected video, shared by copies, bounded, and gone with their video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspector.media import thumbnails as pictures
from inspector.model import State
from inspector.store import thumbnails
from inspector.store.thumbnails import Thumbnails
from inspector.worker.thumbnails import ThumbnailMaker
from tests.film import copies, cuts_of, make
from tests.integration.test_inspection import House, house  # noqa: F401 - a fixture

PREFIX = ".inspector/thumbnails/"


def made(house: House, key: str) -> Thumbnails | None:  # noqa: F811
    sha256 = house.status(key).sha256
    assert sha256 is not None
    with house.db.begin() as tx:
        return thumbnails.load(tx, [sha256]).get(sha256)


def objects(house: House) -> list[str]:  # noqa: F811
    return [key for key, _ in house.bucket.list_page(prefix=PREFIX).objects]


def tidy(house: House, **settings: int) -> None:  # noqa: F811
    maker = ThumbnailMaker(house.db, house.bucket, house.settings.model_copy(update=settings))
    while maker.tidy_once() == 0:
        pass


def test_every_shot_of_a_film_has_a_picture_that_can_be_read(
    house: House,  # noqa: F811
    films: dict[str, Path],
) -> None:
    house.inspect(films["film"])
    found = made(house, "film.mp4")
    assert found is not None
    for cut in (0.0, *cuts_of()):
        assert min(abs(cut - time) for time in found.times_s) < 0.05
    for number in range(len(found.sizes)):
        start, size = found.place(number)
        jpeg = house.bucket.read(found.key, start, size)
        assert jpeg is not None
        assert (jpeg[:2], jpeg[-2:], len(jpeg)) == (b"\xff\xd8", b"\xff\xd9", size)


def test_pictures_are_as_upright_and_wide_as_the_video_is_shown(
    house: House,  # noqa: F811
    films: dict[str, Path],
    tmp_path: Path,
) -> None:
    tall = make(tmp_path / "tall.mp4", "-i", str(films["film"]), "-vf", "transpose=1", "-t", "3")
    house.inspect(tall)
    found = made(house, "tall.mp4")
    assert found is not None
    (tmp_path / "first.jpg").write_bytes(house.bucket.read(found.key, 0, found.sizes[0]) or b"")
    shown = make(tmp_path / "first.pgm", "-i", str(tmp_path / "first.jpg")).read_bytes().split()[1:3]
    assert [int(side) for side in shown] == pytest.approx([101, 180], abs=1)


def test_copies_of_a_file_share_their_pictures(house: House, films: dict[str, Path]) -> None:  # noqa: F811
    house.inspect(films["film"])
    house.inspect(films["film"], "again.mp4")
    assert len(objects(house)) == 1
    assert made(house, "again.mp4") == made(house, "film.mp4")


def test_a_heartbeat_while_they_are_made_costs_no_pictures(
    house: House,  # noqa: F811
    films: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = house.worker()

    def make_slowly(*arguments: Any, **named: Any) -> list[pictures.Thumbnail]:
        worker._heartbeat.run_once()
        return pictures.make_thumbnails(*arguments, **named)

    monkeypatch.setattr("inspector.worker.thumbnails.make_thumbnails", make_slowly)
    house.drop(films["film"])
    worker.run_once()
    assert made(house, "film.mp4") is not None


def test_pictures_go_with_the_last_video_of_their_content(
    house: House,  # noqa: F811
    films: dict[str, Path],
) -> None:
    house.inspect(films["clip"])
    house.inspect(films["clip"], "again.mp4")
    for key, left in (("clip.mp4", 1), ("again.mp4", 0)):
        house.bucket.delete(key)
        house.ingest.look_at(key)
        tidy(house)
        assert len(objects(house)) == left
    house.inspect(films["clip"])
    assert made(house, "clip.mp4") is not None, "the same bytes, once more: pictured again, though known"


def test_the_oldest_pictures_go_when_there_is_no_room(
    house: House,  # noqa: F811
    films: dict[str, Path],
    tmp_path: Path,
) -> None:
    for path in copies(films["clip"], tmp_path, 3):
        house.inspect(path)
    newest = made(house, "copy02.mp4")
    assert newest is not None
    tidy(house, thumbnails_bytes=sum(newest.sizes) + 1)
    assert objects(house) == [newest.key]
    assert made(house, "copy00.mp4") is None


def test_a_video_without_pictures_is_done_all_the_same(
    house: House,  # noqa: F811
    films: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    status = house.inspect(films["clip"])
    assert (status.state, made(house, "clip.mp4"), objects(house)) == (State.DONE, None, [])


def test_no_pictures_are_made_where_there_is_no_room_at_all(
    house: House,  # noqa: F811
    films: dict[str, Path],
) -> None:
    house.settings = house.settings.model_copy(update={"thumbnails_bytes": 0})
    house.inspect(films["clip"])
    assert objects(house) == []
