"""The commands one by one: what they print, and how they end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inspector import __version__
from tests.acceptance.conftest import MakeMachine
from tests.acceptance.machine import S3, Machine
from tests.film import BROKEN, SHOTS, copies, cut_together
from tests.services import Endpoint, wait_until

COMMANDS = (
    "up",
    "put",
    "watch",
    "record",
    "recordings",
    "status",
    "scan",
    "demo",
    "bootstrap",
    "serve",
    "work",
    "sweep",
    "backfill",
    "reindex",
    "prune",
    "token",
    "help",
)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return cut_together(tmp_path / "film.mp4", SHOTS[:2])


@pytest.fixture
def elsewhere(make_machine: MakeMachine, ministack: Endpoint, empty_database_url: str) -> Iterator[Machine]:
    """A machine whose settings name an S3 without bucket, and a database without tables."""
    machine = make_machine(
        AWS_ENDPOINT_URL=ministack.url,
        DATABASE_URL=empty_database_url.replace("+psycopg2", ""),
        INSPECTOR_BUCKET="elsewhere",
        INSPECTOR_QUEUE="elsewhere-events",
        INSPECTOR_DEAD_LETTER_QUEUE="elsewhere-dead",
        INSPECTOR_POLL_WAIT_S="1",
    )
    machine.s3 = S3(ministack.url, "elsewhere")
    yield machine
    assert machine.processes() == {}
    empty(machine.s3)


def empty(s3: S3) -> None:
    """Delete the bucket with all that is in it."""
    for item in s3.client.list_objects_v2(Bucket=s3.bucket).get("Contents", ()):
        s3.delete(item["Key"])
    s3.client.delete_bucket(Bucket=s3.bucket)


def test_every_command_explains_itself(machine: Machine) -> None:
    overview, whole = machine.run("--help").stdout, machine.run("help", "--all").stdout
    assert all(re.search(rf"^  {command}\b", overview, re.MULTILINE) for command in COMMANDS)
    assert all(f"Usage: inspector {command} " in whole for command in COMMANDS)


def test_help_needs_no_valid_settings(machine: Machine) -> None:
    assert "Usage" in machine.run("up", "-h", env={"INSPECTOR_PORT": "nonsense"}).stdout


def test_it_says_its_version(machine: Machine) -> None:
    said = machine.run("--version").stdout
    assert said.startswith(f"inspector {__version__} (")
    assert re.search(r"Python 3\..*\), ffmpeg \d", said)


def test_an_unknown_command_is_a_wrong_command_line(machine: Machine) -> None:
    assert "No such command" in machine.run("inspect", code=2).stderr


# ---------------------------------------------------------------- put and status


def test_put_waits_and_shows_what_was_found(house: Machine, film: Path, tmp_path: Path) -> None:
    (copy,) = copies(film, tmp_path, 1)
    done = house.run("put", "--wait", "--prefix", "put/", film, copy)
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert [row[:3] for row in rows[1:3]] == [["put/film.mp4", "done", "1"], ["put/copy00.mp4", "done", "1"]]
    assert ["put/film.mp4", "put/copy00.mp4", "duplicate"] in [[row[0], row[3], row[6]] for row in rows[4:]]


def test_put_prints_the_keys_when_it_does_not_wait(house: Machine, film: Path) -> None:
    assert house.run("put", "--prefix", "later/", film).stdout == "later/film.mp4\n"
    house.web.wait_for("later/film.mp4", "done")


def test_put_waits_for_the_new_content_of_an_old_key(house: Machine, film: Path, tmp_path: Path) -> None:
    house.s3.put("anew/film.mp4", cut_together(tmp_path / "before.mp4", SHOTS[3:6]))
    assert house.web.wait_for("anew/film.mp4", "done")["total_cuts"] == 2
    rows = house.run("put", "--wait", "--prefix", "anew/", film).stdout.splitlines()
    assert rows[1].split()[:3] == ["anew/film.mp4", "done", "1"]


def test_put_again_of_the_same_file_ends(house: Machine, film: Path) -> None:
    for _ in range(2):
        assert "done" in house.run("put", "--wait", "--prefix", "again/", film, film).stdout


def test_a_rejected_file_is_exit_code_3(house: Machine, tmp_path: Path) -> None:
    make_file, _ = BROKEN["text.mp4"]
    done = house.run("put", "--wait", make_file(tmp_path / "text.mp4"), code=3)
    assert "rejected: not_media" in done.stdout


def test_status_of_one_video_as_a_table_and_as_json(house: Machine, film: Path) -> None:
    house.s3.put("asked/film.mp4", film)
    watched = house.run("status", "asked/film.mp4", "--json", "--watch")
    assert json.loads(watched.stdout) == house.web.status("asked/film.mp4")
    assert json.loads(watched.stdout)["status"] == "done"
    table = house.run("status", "asked/film.mp4").stdout.splitlines()
    assert table[1].split()[:3] == ["asked/film.mp4", "done", "1"]


def test_status_of_the_newest_videos(house: Machine, film: Path) -> None:
    key = "newest/" + "long " * 40 + ".mp4"
    house.s3.put(key, film)
    house.web.wait_for(key, "done")
    lines = house.run("status", "--limit", "1").stdout.splitlines()
    assert len(lines) == 2, "a pipe has no width: a video is a line"
    assert key in lines[1]
    (document,) = json.loads(house.run("status", "--limit", "1", "--json").stdout)
    assert document["key"] == key


def test_a_key_cannot_speak_to_the_terminal(house: Machine, film: Path) -> None:
    house.s3.put("evil\x1b[2J\nnext.mp4", film)
    house.web.wait_for("evil\x1b[2J\nnext.mp4", "done")
    lines = house.run("status", "--limit", "1").stdout.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in lines[1]


def test_status_of_a_video_that_nobody_knows_is_told_in_one_line(house: Machine) -> None:
    assert "No video" in house.refuses("status", "nowhere.mp4")
    assert "No video" in house.refuses("status", "nowhere.mp4", "--watch")


def test_without_a_server_the_remedy_is_told(machine: Machine, film: Path) -> None:
    dead = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    for arguments in (("status",), ("status", "a.mp4", "--watch"), ("put", "--wait", film)):
        assert "inspector up" in machine.refuses(*arguments)
    assert "127.0.0.1:1" in machine.refuses("put", film, **dead)


def test_a_name_that_cannot_be_a_key_is_told(machine: Machine, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    odd.touch()
    assert "cannot be a key" in machine.refuses("put", odd)


# ---------------------------------------------------------------- the parts, one by one


def test_bootstrap_changes_something_the_first_time_only(elsewhere: Machine) -> None:
    verdict = elsewhere.run("bootstrap", "--verify-only", code=1)
    assert "inspector bootstrap" in verdict.stderr
    assert "elsewhere" not in {b["Name"] for b in elsewhere.s3.client.list_buckets()["Buckets"]}
    first = outcomes(elsewhere.run("bootstrap").stdout)
    assert {"created", "updated"} & set(first)
    with ThreadPoolExecutor(3) as pool:
        further = list(pool.map(lambda _: outcomes(elsewhere.run("bootstrap").stdout), range(3)))
    assert {outcome for run in further for outcome in run} == {"unchanged", "verified"}
    assert set(outcomes(elsewhere.run("bootstrap", "--verify-only").stdout)) == {"verified"}
    assert elsewhere.s3.client.list_objects_v2(Bucket="elsewhere")["KeyCount"] == 0, "probes are gone"


def outcomes(text: str) -> list[str]:
    """The first word of each line of bootstrap's report."""
    return [line.split()[0] for line in text.splitlines()]


def test_bootstrap_on_a_running_stack_finds_nothing_to_do(house: Machine) -> None:
    assert set(outcomes(house.run("bootstrap").stdout)) == {"unchanged", "verified"}


def test_a_sweep_without_tables_is_told_the_remedy(elsewhere: Machine) -> None:
    elsewhere.s3.client.create_bucket(Bucket="elsewhere")
    assert "inspector bootstrap" in elsewhere.refuses("sweep")


def test_serve_and_work_do_their_part_against_given_services(elsewhere: Machine, film: Path) -> None:
    elsewhere.run("bootstrap")
    with elsewhere.running("serve") as serve:
        wait_until(elsewhere.web.answers, serve.process)
        elsewhere.s3.put("a.mp4", film)
        assert elsewhere.web.status("a.mp4")["status"] == "pending", "no worker has seen it"
        assert elsewhere.web.get("/readyz").json()["status"] == "degraded", "nobody works"
        with elsewhere.running("work", "--workers", "1") as work:
            elsewhere.web.wait_for("a.mp4", "done")
            assert work.stop() == 0
        elsewhere.s3.put("b.mp4", film)
        assert "agree" in elsewhere.run("sweep").stdout
        assert elsewhere.web.status("b.mp4")["status"] == "queued"
        with elsewhere.running("work") as work:
            elsewhere.web.wait_for("b.mp4", "done")
            assert work.stop() == 0
        assert elsewhere.web.duplicates("a.mp4") == {"b.mp4": "duplicate"}
        assert serve.stop() == 0


def new_token(machine: Machine) -> tuple[str, str]:
    """A token and its hash, from a machine whose settings are not complete yet."""
    said = machine.run("token", "--role", "read", env={"INSPECTOR_HOST": "0.0.0.0"}).stdout  # noqa: S104
    token, digest = (line.split()[1] for line in said.splitlines())
    return token, digest


def test_tokens_are_replaced_without_a_request_refused(elsewhere: Machine) -> None:
    elsewhere.run("bootstrap")
    (old, old_hash), (new, new_hash) = new_token(elsewhere), new_token(elsewhere)

    def status(token: str) -> int:
        return elsewhere.web.get("/status", Authorization=f"Bearer {token}").status

    env_file = elsewhere.folder / ".env"
    env_file.write_text(f"INSPECTOR_READ_TOKENS={old_hash}\n")
    with elsewhere.running("serve") as serve:
        wait_until(elsewhere.web.answers, serve.process)
        assert (status(old), status(new)) == (200, 401)
        env_file.write_text(f"INSPECTOR_READ_TOKENS={old_hash},{new_hash}\n")
        serve.process.send_signal(signal.SIGHUP)
        wait_until(lambda: {status(old)} == {200} and status(new) == 200, serve.process)
        env_file.write_text(f"INSPECTOR_READ_TOKENS={new_hash}\n")
        serve.process.send_signal(signal.SIGHUP)
        wait_until(lambda: {status(new)} == {200} and status(old) == 401, serve.process)
        env_file.write_text("INSPECTOR_READ_TOKENS=nonsense\n")
        serve.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "settings_not_read_again" in serve.said, serve.process)
        assert {status(new) for _ in range(20)} == {200}, "a mistake in the file changes nothing"
        assert serve.stop() == 0


def test_a_sweep_that_would_remove_too_much_waits_for_a_confirmation(elsewhere: Machine, film: Path) -> None:
    elsewhere.run("bootstrap")
    elsewhere.s3.put("a.mp4", film)
    elsewhere.run("sweep")
    elsewhere.s3.delete("a.mp4")
    assert "--confirm-removals" in elsewhere.run("sweep", code=1).stderr.splitlines()[-1]
    assert "agree" in elsewhere.run("sweep", "--confirm-removals").stdout


def test_up_with_services_that_do_not_answer_can_be_stopped(machine: Machine) -> None:
    dead = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    with machine.running("up", **dead) as up:
        wait_until(lambda: machine.data_dir.exists(), up.process)
        assert up.stop() == 0


# ---------------------------------------------------------------- watch


def test_watch_uploads_what_lies_in_a_folder_and_what_comes(
    house: Machine, film: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    shutil.copy(film, folder / "first.mp4")
    once = house.run("watch", folder, "--prefix", "watched/", "--once", "--settle", "0.2")
    assert once.stdout.split() == ["watched/first.mp4"]
    quick = ("--prefix", "watched/", "--settle", "0.2", "--interval", "0.1")
    with house.running("watch", str(folder), *quick) as watching:
        shutil.copy(film, folder / "second.mp4")
        assert house.web.wait_for("watched/second.mp4", "done")["duplicates"]
        assert watching.stop() == 0
        assert watching.output.split() == ["watched/second.mp4"]
    assert sorted(path.name for path in folder.iterdir()) == ["first.mp4", "second.mp4"]


def test_watch_without_a_stack_tells_the_remedy(machine: Machine, tmp_path: Path) -> None:
    assert "inspector up" in machine.refuses("watch", tmp_path, "--once")
    machine.run("watch", tmp_path / "nowhere", code=2)
