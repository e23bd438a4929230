"""`inspector up`: what it says, how it stops, and what it survives."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.conftest import MakeMachine
from tests.acceptance.machine import Machine
from tests.film import SHOTS, cut_together
from tests.services import wait_until

LEASE_S: Final = 3.0
SHORT_LEASES: Final = {"INSPECTOR_LEASE_S": str(LEASE_S), "INSPECTOR_HEARTBEAT_S": "1"}


@pytest.fixture(scope="module")
def battered(make_machine: MakeMachine) -> Iterator[Machine]:
    """A machine whose parts are killed; leases are short."""
    battered = make_machine(**SHORT_LEASES)
    with battered.up():
        yield battered
    assert battered.processes() == {}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return cut_together(tmp_path / "film.mp4", SHOTS[:2])


def wait_for_work(machine: Machine, key: str) -> int:
    """Wait until ffmpeg decodes this video. Returns the id of the worker that does it."""
    machine.web.wait_for(key, "processing")
    (process,) = wait_until(lambda: find_decoders(machine))
    workers = machine.find("inspector work")
    while process not in workers:  # a sandbox may stand between them
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process


def find_decoders(machine: Machine) -> list[int]:
    return [pid for pid, command in machine.processes().items() if command.split(" ")[0].endswith("/ffmpeg")]


# ---------------------------------------------------------------- start and stop


def test_it_says_where_everything_is(house: Machine, film: Path) -> None:
    (announcement,) = [path.read_text() for path in house.folder.glob("0.out")]
    assert f"http://127.0.0.1:{house.web.port}/" in announcement
    assert house.s3.url in announcement
    assert "s3://videos/" in announcement


def test_ctrl_c_in_mid_work_leaves_nothing_and_the_next_start_goes_on(
    machine: Machine, film: Path, make_long_film: Callable[[], Path]
) -> None:
    with machine.up() as up:
        machine.s3.put("film.mp4", film)
        machine.s3.put("copy.mp4", film)
        before = [machine.web.wait_for(key, "done") for key in ("film.mp4", "copy.mp4")]
        machine.s3.put("long.mp4", make_long_film())
        wait_for_work(machine, "long.mp4")
        assert up.stop(signal.SIGINT) == 0
        assert machine.processes() == {}
        assert machine.scratch_files() == []
    with machine.up() as up:
        found = machine.web.status("film.mp4")
        assert (found["status"], found["scene_cuts"]) == ("done", before[0]["scene_cuts"])
        assert machine.web.duplicates("film.mp4") == {"copy.mp4": "duplicate"}
        assert machine.web.wait_for("long.mp4", "done", "failed")["attempts"] == 1
        assert machine.web.status("long.mp4")["status"] == "done"
        assert up.stop(signal.SIGTERM) == 0


def test_ctrl_c_while_it_starts_leaves_nothing(machine: Machine) -> None:
    with machine.running("up") as up:
        wait_until(lambda: machine.find("ministack"), up.process)
        assert up.stop(signal.SIGINT) == 0


# ---------------------------------------------------------------- what it cannot start with


def test_a_port_in_use_is_told_with_the_remedy(machine: Machine) -> None:
    with closing(socket.create_server(("127.0.0.1", machine.web.port))):
        line = machine.refuses("up")
    assert str(machine.web.port) in line
    assert "INSPECTOR_PORT" in line


def test_a_second_start_beside_the_first_is_told_so_and_disturbs_nothing(house: Machine) -> None:
    assert str(house.data_dir) in house.refuses("up")
    assert "INSPECTOR_DATA_DIR" in house.refuses("up", INSPECTOR_PORT="0")
    assert house.web.answers()


def test_a_missing_ffmpeg_is_told_with_the_remedy(machine: Machine, tmp_path: Path) -> None:
    line = machine.refuses("up", PATH=str(tmp_path))
    assert "ffmpeg is not installed" in line


def test_a_file_in_place_of_the_data_folder_is_told_with_the_remedy(machine: Machine) -> None:
    machine.data_dir.write_text("a file")
    line = machine.refuses("up")
    assert str(machine.data_dir) in line
    assert "INSPECTOR_DATA_DIR" in line


def test_a_data_folder_that_cannot_be_written_is_told_with_the_remedy(machine: Machine) -> None:
    line = machine.refuses("up", INSPECTOR_DATA_DIR="/proc/inspector")
    assert "INSPECTOR_DATA_DIR" in line


def test_a_broken_database_is_told_in_seconds_with_its_reason_and_the_remedy(machine: Machine) -> None:
    cluster = machine.data_dir / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("18\n")
    began = time.monotonic()
    told = machine.run("up", code=1).stderr.splitlines()[-1]
    assert time.monotonic() - began < 30
    assert "PostgreSQL does not start" in told
    assert "DATABASE_URL" in told


def test_wrong_settings_are_told_in_one_line(machine: Machine) -> None:
    assert "three heartbeats" in machine.refuses("up", INSPECTOR_LEASE_S="1")


# ---------------------------------------------------------------- what it survives


def test_a_worker_that_is_asked_to_leave_hands_its_job_to_another(
    battered: Machine, make_long_film: Callable[[], Path]
) -> None:
    battered.s3.put("asked.mp4", make_long_film())
    os.kill(wait_for_work(battered, "asked.mp4"), signal.SIGTERM)
    document = battered.web.wait_for("asked.mp4", "done", "failed")
    assert (document["status"], document["attempts"]) == ("done", 1), "handing back costs no attempt"


def test_the_job_of_a_killed_worker_is_done_by_another(
    battered: Machine, make_long_film: Callable[[], Path]
) -> None:
    battered.s3.put("killed.mp4", make_long_film())
    worker = wait_for_work(battered, "killed.mp4")
    (decoder,) = find_decoders(battered)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: battered.web.status("killed.mp4")["attempts"] == 2, timeout_s=LEASE_S + 30)
    assert decoder not in battered.processes()
    document = battered.web.wait_for("killed.mp4", "done", "failed")
    assert (document["status"], document["attempts"]) == ("done", 2)
    wait_until(lambda: len(battered.find("inspector work")) == 2)
    wait_until(lambda: battered.scratch_files() == [])


def test_a_killed_s3_is_started_again_and_videos_are_found_again(battered: Machine, film: Path) -> None:
    battered.s3.put("before.mp4", film)
    battered.web.wait_for("before.mp4", "done")
    (first,) = battered.find("ministack")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: battered.find("ministack") not in ([], [first]))
    wait_until(lambda: drops(battered, "after.mp4", film))
    assert battered.web.wait_for("after.mp4", "done")
    assert battered.web.duplicates("after.mp4") == {"before.mp4": "duplicate"}


def drops(machine: Machine, key: str, film: Path) -> bool:
    """Whether the S3 takes the video."""
    try:
        machine.s3.put(key, film)
    except Exception:
        return False
    return True


def test_a_killed_database_is_started_again(battered: Machine, film: Path) -> None:
    cluster = battered.data_dir / "postgres" / "cluster"
    os.kill(int((cluster / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    battered.s3.put("reborn.mp4", film)
    wait_until(lambda: battered.web.get("/status/reborn.mp4").status != 503)
    assert battered.web.wait_for("reborn.mp4", "done")


def test_a_killed_web_server_is_started_again(battered: Machine) -> None:
    for server in battered.find("inspector serve"):
        os.kill(server, signal.SIGKILL)
    wait_until(battered.web.answers)
