"""`inspector scan`: duplicates among local files, without S3."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from inspector.cli.scan import COLUMNS
from tests.acceptance.conftest import MakeMachine
from tests.acceptance.machine import Machine
from tests.film import copies, episodes
from tests.services import wait_until

Row = dict[str, Any]

UTF8: Final = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"}  # without the leniency that Python shows in "C"


@pytest.fixture(scope="module")
def scanner(make_machine: MakeMachine, postgres_url: str) -> Machine:
    """A machine with a database; the fingerprints of one test are there for the next."""
    return make_machine(DATABASE_URL=postgres_url)


@pytest.fixture(scope="module")
def library(films: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with films, an exact copy in a folder below, and a file that is no video."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "below").mkdir()
    for name, path in films.items():
        shutil.copy(path, folder / f"{name}.mp4")
    shutil.copy(films["film"], folder / "below" / "exact copy.mp4")
    (folder / "notes.txt").write_text("no video by its name")
    return folder


@pytest.fixture
def broken_library(library: Path, tmp_path: Path) -> Path:
    """The same, with a file that is a video by its name only."""
    folder = tmp_path / "broken"
    shutil.copytree(library, folder)
    (folder / "text.mp4").write_text("no video")
    return folder


def rows_of(text: str) -> list[Row]:
    rows: list[Row] = json.loads(text)
    return rows


def pairs_of(rows: list[Row]) -> dict[frozenset[str], str]:
    return {frozenset((row["query"], row["reference"])): row["verdict"] for row in rows}


def test_each_pair_is_told_once_by_paths_relative_to_the_folder(scanner: Machine, library: Path) -> None:
    rows = rows_of(scanner.run("scan", library, "--format", "json").stdout)
    assert pairs_of(rows) == {
        frozenset({"film.mp4", "below/exact copy.mp4"}): "duplicate",
        frozenset({"film.mp4", "edited.mp4"}): "duplicate",
        frozenset({"film.mp4", "clip.mp4"}): "contained",
        frozenset({"below/exact copy.mp4", "edited.mp4"}): "duplicate",
        frozenset({"below/exact copy.mp4", "clip.mp4"}): "contained",
        frozenset({"edited.mp4", "clip.mp4"}): "contained",
    }
    assert len(rows) == 6
    identical = {frozenset((r["query"], r["reference"])) for r in rows if r["evidence"]["identical_bytes"]}
    assert identical == {frozenset({"film.mp4", "below/exact copy.mp4"})}


def test_a_second_scan_decodes_nothing(scanner: Machine, library: Path, tmp_path: Path) -> None:
    first = scanner.run("scan", library, "--format", "json").stdout
    for tool in ("ffmpeg", "ffprobe"):
        stub = tmp_path / tool
        stub.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo "{tool} version 7.1" && exit 0\nexit 1\n')
        stub.chmod(0o755)
    path = f"{tmp_path}:{scanner.env['PATH']}"
    assert scanner.run("scan", library, "--format", "json", env={"PATH": path}).stdout == first


def test_rejected_files_are_listed_and_the_others_compared(scanner: Machine, broken_library: Path) -> None:
    done = scanner.run("scan", broken_library, "--format", "json", code=3)
    assert len(rows_of(done.stdout)) == 6
    (line,) = done.stderr.splitlines()
    assert line.startswith("text.mp4: not_media")


def test_a_row_of_the_table_is_a_line_however_long_the_names(
    scanner: Machine, films: dict[str, Path], tmp_path: Path
) -> None:
    names = ["a " * 60 + ".mp4", "b " * 60 + ".mp4"]
    for name in names:
        shutil.copy(films["film"], tmp_path / name)
    head, row = scanner.run("scan", tmp_path).stdout.splitlines()
    assert head.split() == ["query", "from", "to", "reference", "from", "to", "verdict", "score"]
    assert all(name in row for name in names)


def test_csv_into_a_file(scanner: Machine, library: Path, tmp_path: Path) -> None:
    target = tmp_path / "matches.csv"
    done = scanner.run("scan", library, "--format", "csv", "--output", target)
    assert done.stdout == ""
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 6
    clip = next(row for row in rows if (row["query"], row["reference"]) == ("clip.mp4", "film.mp4"))
    assert [float(clip[name]) for name in COLUMNS[2:6]] == pytest.approx([0, 8, 3.4, 11.4], abs=0.3)
    assert json.loads(clip["evidence"])["frames"] > 0


def test_against_compares_with_others_only(scanner: Machine, library: Path, films: dict[str, Path]) -> None:
    done = scanner.run("scan", films["clip"], "--against", library, "--format", "json")
    rows = rows_of(done.stdout)
    assert {row["query"] for row in rows} == {"clip.mp4"}
    assert sorted(row["reference"] for row in rows) == [
        "below/exact copy.mp4", "clip.mp4", "edited.mp4", "film.mp4",
    ]  # fmt: skip


def test_least_scores_leave_out_weaker_matches(scanner: Machine, library: Path) -> None:
    rows = rows_of(scanner.run("scan", library, "--min-score", "1", "--format", "json").stdout)
    assert all(row["score"] == 1 for row in rows)
    assert rows


def test_an_intro_is_no_duplicate_and_is_listed_when_asked_for(scanner: Machine, tmp_path: Path) -> None:
    episodes(tmp_path, 6)
    done = scanner.run("scan", tmp_path, "--format", "json")
    assert rows_of(done.stdout) == []
    assert "15 pairs share only common material" in done.stderr
    listed = pairs_of(rows_of(scanner.run("scan", tmp_path, "--format", "json", "--common").stdout))
    assert (len(listed), set(listed.values())) == (15, {"common"})


def test_an_unknown_path_is_a_wrong_command_line(scanner: Machine, tmp_path: Path) -> None:
    assert "does not exist" in scanner.run("scan", tmp_path / "nowhere", code=2).stderr
    assert scanner.run("scan", code=2).stderr


def test_a_name_that_is_no_text_is_a_name_like_any_other(
    scanner: Machine, films: dict[str, Path], tmp_path: Path
) -> None:
    latin, evil = os.fsdecode(b"caf\xe9.mp4"), "🎬 <b>\x1b[2J\n.mp4"
    for name in (latin, evil):
        shutil.copy(films["film"], tmp_path / name)
    (row,) = rows_of(scanner.run("scan", tmp_path, "--format", "json", env=UTF8).stdout)
    assert (row["query"], row["reference"]) == (latin, evil)
    assert "caf\\udce9.mp4," in scanner.run("scan", tmp_path, "--format", "csv", env=UTF8).stdout
    lines = scanner.run("scan", tmp_path, env=UTF8).stdout.splitlines()
    assert len(lines) == 2
    assert "caf\\udce9.mp4" in lines[1]
    assert "🎬 <b>\\x1b[2J\\n.mp4" in lines[1]


def test_a_file_given_is_looked_at_whatever_it_is(scanner: Machine, library: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    done = scanner.run("scan", pipe, library / "notes.txt", library / "film.mp4", code=3)
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == {"pipe.mp4", "notes.txt"}
    assert "No duplicates found." in done.stdout


def test_a_missing_ffmpeg_is_told_with_the_remedy(scanner: Machine, library: Path, tmp_path: Path) -> None:
    assert "ffmpeg is not installed" in scanner.refuses("scan", library, PATH=str(tmp_path))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_scan_that_is_stopped_leaves_nothing_behind(
    machine: Machine, make_long_film: Callable[[], Path], signum: signal.Signals
) -> None:
    with machine.running("scan", str(make_long_film())) as scan:
        wait_until(lambda: find_decoder(scan.process.pid), scan.process)
        (decoder,) = find_decoder(scan.process.pid)
        assert scan.stop(signum) == 1
        wait_until(lambda: not Path(f"/proc/{decoder}").exists())  # the kernel clears its sandbox away
        assert machine.processes() == {}


def find_decoder(pid: int) -> list[int]:
    """The ffmpeg that a process has started, be it within a sandbox."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for listing in children for child in listing.read_text().split()]
    decoders = [child for child in found if Path(f"/proc/{child}/comm").read_text() == "ffmpeg\n"]
    return decoders or [decoder for child in found for decoder in find_decoder(child)]


def test_the_bucket_and_the_scanned_files_know_nothing_of_each_other(
    house: Machine, films: dict[str, Path], tmp_path: Path
) -> None:
    (scanned, dropped) = copies(films["other"], tmp_path, 2)
    house.run("scan", scanned, films["other"])
    house.s3.put("scanned/dropped.mp4", dropped)
    house.web.wait_for("scanned/dropped.mp4", "done")
    bucket = house.web.duplicates("scanned/dropped.mp4")
    assert scanned.name not in {Path(key).name for key in bucket}
    rows = rows_of(house.run("scan", scanned, "--format", "json").stdout)
    assert rows == []
