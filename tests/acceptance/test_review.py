"""Reviewing duplicates by the command: look, decide, act, and take all of it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.machine import Machine
from tests.film import cut_together, make
from tests.services import wait_until

SHOTS = (("sierpinski=seed=41", 2.4), ("testsrc2=sar=1", 1.6), ("life=seed=42:mold=10", 3.2))
FILM, SMALL = "review/film.mp4", "review/small.mp4"


@pytest.fixture
def duplicates(house: Machine, tmp_path: Path) -> None:
    """A film and a smaller, mirrored copy, both inspected."""
    film = cut_together(tmp_path / "film.mp4", SHOTS)
    small = make(tmp_path / "small.mp4", "-i", str(film), "-vf", "hflip,scale=240:136", "-crf", "32")
    for key, path in ((FILM, film), (SMALL, small)):
        house.s3.put(key, path)
        house.web.wait_for(key, "done")


def group_of(house: Machine, key: str, *arguments: str) -> dict[str, Any] | None:
    """The group that a key is in, as the command lists it."""
    listed = json.loads(house.run("review", "list", "--json", "--limit", "1000", *arguments).stdout)
    for group in listed["items"]:
        if any(video["key"] == key for member in group["members"] for video in member["videos"]):
            found: dict[str, Any] = group
            return found
    return None


def keys(house: Machine) -> set[str]:
    listed = house.s3.client.list_objects_v2(Bucket=house.s3.bucket, Prefix="review")
    return {item["Key"] for item in listed.get("Contents", ())}


@pytest.mark.usefixtures("duplicates")
def test_a_reviewer_looks_decides_moves_the_copy_away_and_takes_it_all_back(house: Machine) -> None:
    group = group_of(house, SMALL)
    assert group is not None
    assert (group["keep"]["key"], group["keep"]["reason"]) == (FILM, "320×180 against 240×136")
    number = group["id"]
    assert FILM in house.run("review", "show", number).stdout

    outdated = house.run("review", "decide", f"{number}@1", "--as", "duplicate", code=1)
    assert "has changed since revision 1" in outdated.stderr

    decided = house.run(
        "review", "decide", f"{number}@{group['revision']}", "--as", "duplicate", "--by", "ann"
    )
    assert f"keeping {FILM}" in decided.stdout
    assert group_of(house, SMALL) is None
    assert group_of(house, SMALL, "--all") is not None
    (made, *_) = json.loads(house.run("review", "decisions", "--json").stdout)
    assert (made["kind"], made["by"], made["subject"]) == ("duplicate", "ann", number)

    trash = ("review", "apply", made["id"], "--move", "review-trash/")
    assert "Nothing was done yet" in house.run(*trash).stdout
    assert keys(house) == {FILM, SMALL}
    (moved,) = json.loads(house.run(*trash, "--yes", "--json").stdout)
    assert keys(house) == {FILM, f"review-trash/{SMALL}"}
    house.web.wait_for(SMALL, "removed")

    house.run("review", "undo", moved["action"]["id"], made["id"])
    assert keys(house) == {FILM, SMALL}
    house.web.wait_for(SMALL, "done")
    back = wait_until(lambda: group_of(house, SMALL), timeout_s=30)
    assert back is not None
    assert not back["decided"]


def test_what_makes_no_sense_is_refused_in_a_line(house: Machine) -> None:
    assert "is no group" in house.refuses("review", "show", "film.mp4")
    assert "no group g999999" in house.refuses("review", "show", "g999999")
    assert "can be undone" in house.refuses("review", "undo", "g1")
    house.run("review", "apply", code=2)
    house.run("review", "decide", "g1", "--as", "something", code=2)
