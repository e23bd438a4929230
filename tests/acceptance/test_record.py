"""Channels, recorded by the installed command: what is on air is found, and nobody is left behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.machine import Machine
from tests.broadcast import children, kill, on_hls, reel
from tests.film import SHOTS, cut_together
from tests.services import wait_until

LEADER_S, TRAILER_S = 3.0, 5.0
SPOT_S = sum(seconds for _, seconds in SHOTS)


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the library knows."""
    return cut_together(tmp_path_factory.mktemp("spot") / "spot.mp4")


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test card, the spot, and something else."""
    folder = tmp_path_factory.mktemp("programme")
    shots = (("testsrc=sar=1", LEADER_S), *SHOTS, ("sierpinski=seed=9", TRAILER_S))
    return reel(folder / "reel.mp4", cut_together(folder / "programme.mp4", shots))


def shown(machine: Machine, number: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(machine.run("recordings", "show", number, "--json").stdout)
    return document


def post(machine: Machine, path: str) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", machine.web.port, timeout=30)) as connection:
        connection.request("POST", path, headers={"Content-Length": "0"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


def test_what_is_on_air_is_told_at_its_time_across_the_joins_whoever_kills_ffmpeg(
    house: Machine, spot: Path, programme: Path, tmp_path: Path
) -> None:
    house.run("put", spot, "--prefix", "spots/", "--wait")
    arguments = ("--channel", "one", "--segment", "7", "--concat")
    with (
        on_hls(tmp_path, programme, pace=5, times=1) as url,
        house.running("record", url, *arguments) as recording,
    ):
        wait_until(lambda: kill(children(recording.process.pid, "ffmpeg")), recording.process)
        assert recording.process.wait(60) == 0, recording.said
        (said, whole) = recording.output.split("\n")[:2]
    number = said.removeprefix("recording ")
    keys = [segment["key"] for segment in shown(house, number)["segments"]]
    assert len(keys) >= 3
    for key in (*keys, whole):
        house.web.wait_for(key, "done")
    found = shown(house, number)
    (on_air,) = [each for each in found["matches"] if each["other"]["key"] == "spots/spot.mp4"]
    assert on_air["stream_start_s"] == pytest.approx(LEADER_S, abs=0.2)
    assert on_air["stream_end_s"] == pytest.approx(LEADER_S + SPOT_S, abs=0.2)
    assert on_air["other_start_s"] == pytest.approx(0, abs=0.2)
    assert on_air["verdict"] == "contained"
    assert (found["state"], found["gaps"], found["joined_key"]) == ("ended", [], whole)
    assert found["duration_s"] == pytest.approx(LEADER_S + SPOT_S + TRAILER_S, abs=0.1)
    told = house.web.get(f"/api/v1/recordings/{number}/matches").json()["matches"]
    assert told == found["matches"]
    assert house.web.status(whole)["media"]["duration_s"] == pytest.approx(found["duration_s"], abs=0.1)
    assert house.run("recordings", "join", number).stdout.split() == [whole]
    table = house.run("recordings", "show", number).stdout
    assert "spots/spot.mp4" in table
    assert "contained" in table


def test_a_recorder_that_is_killed_leaves_no_process_and_is_cleaned_up_behind(
    house: Machine, programme: Path, tmp_path: Path
) -> None:
    with (
        on_hls(tmp_path, programme, pace=5) as url,
        house.running("record", url, "--channel", "two", "--segment", "5") as recording,
    ):
        running = wait_until(lambda: pieces_of(house, "two"), recording.process)
        (ffmpeg,) = children(recording.process.pid, "ffmpeg")
        os.kill(recording.process.pid, signal.SIGKILL)
        recording.process.wait()
        wait_until(lambda: not Path(f"/proc/{ffmpeg}").exists())
    number = running["id"]
    assert "process is gone" in house.run("recordings", "orphans").stdout
    dry = post(house, "/admin/recordings/cleanup-process-orphaned")
    assert (dry["dry_run"], dry["cleaned"], [each["id"] for each in dry["orphaned"]]) == (True, 0, [number])
    assert f"recording {number} cleaned" in house.run("recordings", "orphans", "--clean").stdout
    found = shown(house, str(number))
    assert (found["state"], found["alive"]) == ("orphaned", False)
    assert all(segment["uploaded_at"] for segment in found["segments"])
    assert house.run("recordings", "orphans").stdout.strip() == "None."
    assert post(house, "/admin/recordings/cleanup-process-orphaned?dry_run=false")["cleaned"] == 0


def pieces_of(house: Machine, channel: str) -> dict[str, Any]:
    """The recording of this channel, once it has pieces; else nothing."""
    found = house.web.get(f"/api/v1/recordings?channel={channel}").json()["recordings"]
    return found[0] if found and found[0]["total_segments"] else {}


def test_a_dead_source_is_told_and_given_up_when_asked_for(house: Machine) -> None:
    began = time.monotonic()
    source = "http://me:hunter2@127.0.0.1:9/live.m3u8?token=hunter2"
    done = house.run("record", source, "--channel", "dead", "--give-up", "1", code=1)
    assert time.monotonic() - began > 1
    assert "source_failed" in done.stderr
    assert done.stderr.endswith("delivered nothing\n")
    assert "hunter2" not in done.stderr + done.stdout
    number = done.stdout.split()[1]
    found = shown(house, number)
    assert (found["state"], found["segments"]) == ("ended", [])
    assert "the source was dead for 1 s" in found["note"]
    assert "hunter2" not in json.dumps(found)


def test_what_cannot_be_recorded_is_told_in_one_line(house: Machine, tmp_path: Path) -> None:
    film = f"file://{tmp_path}/film.ts"
    assert "begin with one of http://" in house.refuses("record", film, "--channel", "x")
    house.run("record", "udp://127.0.0.1:1", "--channel", "../x", code=2)
    nowhere = house.run(
        "record", "udp://127.0.0.1:1", "--channel", "x", env={"INSPECTOR_BUCKET": "nope"}, code=1
    )
    assert nowhere.stderr.endswith("bucket nope does not exist: run `inspector bootstrap`\n")
    assert "no recording 999" in house.refuses("recordings", "show", "999")
