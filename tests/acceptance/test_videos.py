"""Videos dropped with any S3 client, asked for with any HTTP client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from inspector import __version__
from tests.acceptance.machine import Machine
from tests.film import BROKEN, SHOTS, cut_together, cuts_of
from tests.services import wait_until

ODD_KEYS: Final = {
    "spaces": "a film  with spaces .mp4",
    "plus": "1+1=2.mp4",
    "percent": "100%25 %2F.mp4",
    "quotes": '"it\'s" `odd`.mp4',
    "emoji": "🎬/フィルム/é.mp4",
    "slashes": "a/b//c/d.mp4",
    "leading dash": "--help.mp4",
    "leading slash": "/leading.mp4",
    "very long": "/".join(["x" * 99] * 10),
    "markup": "<script>alert(1)</script>.mp4",
    "query and fragment": "what?a=b&c#d;e.mp4",
    "backslash": "C:\\films\\a.mp4",
    "line break": "two\nlines.mp4",
    "no name": "folder/",
}


@pytest.fixture(scope="session")
def short_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_together(tmp_path_factory.mktemp("short") / "short.mp4", SHOTS[1:2])


def test_edited_copies_and_clips_find_each_other(house: Machine, films: dict[str, Path]) -> None:
    for name, path in films.items():
        house.s3.put(f"2026/{name}.mp4", path)
    documents = {name: house.web.wait_for(f"2026/{name}.mp4", "done") for name in films}
    assert documents["film"]["scene_cuts"] == pytest.approx(cuts_of(), abs=0.02)
    assert documents["film"]["attempts"] == 1
    assert documents["film"]["media"]["width"] == 320
    found = {name: house.web.duplicates(f"2026/{name}.mp4", "2026/") for name in films}
    assert found == {
        "film": {"2026/edited.mp4": "duplicate", "2026/clip.mp4": "contained"},
        "edited": {"2026/film.mp4": "duplicate", "2026/clip.mp4": "contained"},
        "clip": {"2026/film.mp4": "contained", "2026/edited.mp4": "contained"},
        "other": {},
    }


@pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
def test_an_odd_key_is_a_key_like_any_other(house: Machine, short_film: Path, key: str) -> None:
    house.s3.put(key, short_film)
    document = house.web.wait_for(key, "done")
    assert (document["key"], document["error"]) == (key, None)
    assert house.web.get(document["links"]["self"]).json()["key"] == key


def test_broken_files_are_rejected_with_the_reason_while_a_good_one_behind_them_is_done(
    house: Machine, tmp_path: Path, short_film: Path
) -> None:
    files = {name: make_file(tmp_path / name) for name, (make_file, _) in BROKEN.items()}
    for name, path in files.items():
        house.s3.put(f"broken/{name}", path)
    house.s3.put("broken/none.mp4", short_film)
    house.web.wait_for("broken/none.mp4", "done")
    for name, (_, reasons) in BROKEN.items():
        document = house.web.wait_for(f"broken/{name}", "rejected", "failed", "done")
        assert (document["status"], document["attempts"]) == ("rejected", 1)
        assert document["error"]["reason"] in reasons


def test_a_deleted_video_is_removed_and_leaves_the_results_of_others(
    house: Machine, tmp_path: Path, short_film: Path
) -> None:
    house.s3.put("gone/stays.mp4", short_film)
    house.s3.put("gone/goes.mp4", short_film)
    house.web.wait_for("gone/stays.mp4", "done")
    house.web.wait_for("gone/goes.mp4", "done")
    assert "gone/goes.mp4" in house.web.duplicates("gone/stays.mp4")
    house.s3.delete("gone/goes.mp4")
    assert house.web.wait_for("gone/goes.mp4", "removed")["duplicates"] == []
    assert "gone/goes.mp4" not in house.web.duplicates("gone/stays.mp4")


def test_an_overwritten_video_is_what_it_is_now(house: Machine, tmp_path: Path) -> None:
    first = cut_together(tmp_path / "first.mp4", SHOTS[2:4])
    second = cut_together(tmp_path / "second.mp4", SHOTS[3:6])
    house.s3.put("overwritten.mp4", first)
    before = house.web.wait_for("overwritten.mp4", "done")
    house.s3.put("overwritten.mp4", second)
    size = second.stat().st_size
    wait_until(lambda: house.web.status("overwritten.mp4")["size_bytes"] == size)
    after = house.web.wait_for("overwritten.mp4", "done")
    assert after["sha256"] != before["sha256"]
    assert after["scene_cuts"] == pytest.approx(cuts_of(SHOTS[3:6]), abs=0.02)


def test_a_stream_tells_every_step_until_the_end(house: Machine, make_long_film: Callable[[], Path]) -> None:
    house.s3.put("streamed.mp4", make_long_film())
    told = list(house.web.events("streamed.mp4"))
    assert told[-1]["status"] == "done"
    assert {document["key"] for document in told} == {"streamed.mp4"}
    revisions = [document["revision"] for document in told]
    assert revisions == sorted(revisions)
    progress = [document["progress"] for document in told if document["status"] == "processing"]
    assert progress == sorted(progress)
    assert len(set(progress)) > 1


def test_a_key_that_nobody_knows_is_not_found(house: Machine) -> None:
    answer = house.web.get("/status/nowhere.mp4")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_bare_file_name_finds_the_newest_video_of_that_name(house: Machine, short_film: Path) -> None:
    house.s3.put("named/deep/unique name.mp4", short_film)
    house.web.wait_for("named/deep/unique name.mp4", "done")
    assert house.web.status("unique name.mp4")["key"] == "named/deep/unique name.mp4"


def test_all_videos_are_listed_the_newest_first(house: Machine, short_film: Path) -> None:
    for number in range(3):
        house.s3.put(f"listed/{number}.mp4", short_film)
        house.web.wait_for(f"listed/{number}.mp4", "done")
    page = house.web.get("/status?limit=2").json()
    assert [video["key"] for video in page["videos"]] == ["listed/2.mp4", "listed/1.mp4"]
    assert house.web.get(page["next"]).json()["videos"][0]["key"] == "listed/0.mp4"


def test_the_page_shows_a_key_with_markup_as_text(house: Machine, short_film: Path) -> None:
    house.s3.put("<script>alert(2)</script>", short_film)
    house.web.wait_for("<script>alert(2)</script>", "done")
    page = house.web.get("/")
    assert page.status == 200
    assert "&lt;script&gt;alert(2)" in page.text
    assert "<script>alert(2)" not in page.text


def test_machines_that_watch_machines_are_told_how_it_is_doing(house: Machine) -> None:
    assert house.web.get("/livez").status == 200
    wait_until(lambda: house.web.get("/readyz").json()["status"] == "ready")
    build = house.web.get("/build-info").json()
    assert (build["name"], build["version"]) == ("video-inspector", __version__)
    metrics = house.web.get("/metrics").text.splitlines()
    assert {"inspector_workers_alive 2.0", "inspector_database_up 1.0"} <= set(metrics)
