"""`inspector doctor` as people and programs call it."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.machine import Machine
from tests.services import wait_until

SILENCE_S = 12.0  # for everything, by each examination's own deadline; beside it, Python has to start


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections, and never answers."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


def test_a_running_stack_is_well(house: Machine) -> None:
    done = house.run("doctor")
    results = {line[:17].strip(): line.split() for line in done.stdout.splitlines()[1:] if line[:1] == " "}
    assert len(results) > 25
    assert all("ok" in words for words in results.values()), done.stdout
    assert "looked at in" in done.stdout


def test_programs_get_json_and_diagnose_means_the_same(house: Machine) -> None:
    report = json.loads(house.run("--diagnose", "--json", "--no-probe").stdout)
    assert report["result"] == "ok"
    assert all(set(check) == {"name", "result", "figure", "remedy"} for check in report["checks"])
    assert "round trip" not in {check["name"] for check in report["checks"]}
    beside = json.loads(house.run("doctor", "--json", "--no-probe", "--no-web").stdout)
    assert not {"web", "readiness", "status board"} & {check["name"] for check in beside["checks"]}


def test_where_nothing_runs_everything_has_a_remedy(machine: Machine) -> None:
    report = json.loads(machine.run("doctor", "--json", code=2).stdout)
    bad = {check["name"]: check["remedy"] for check in report["checks"] if check["result"] == "bad"}
    assert set(bad) == {"database", "S3 and SQS", "round trip", "web"}
    assert all(bad.values())
    assert not machine.data_dir.exists(), "it changes nothing"


def test_it_takes_seconds_though_every_service_is_silent(machine: Machine, silent_port: int) -> None:
    started = time.monotonic()
    done = machine.run(
        *("doctor", "--json"),
        code=2,
        env={
            "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{silent_port}/none",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent_port}",
            "INSPECTOR_PORT": str(silent_port),
        },
    )
    took_s = time.monotonic() - started
    report = json.loads(done.stdout)
    assert report["took_s"] < SILENCE_S
    assert took_s < SILENCE_S + 15
    bad = {check["name"] for check in report["checks"] if check["result"] == "bad"}
    assert bad == {"database", "S3 and SQS", "round trip", "web"}


def test_a_monitor_looks_on_and_the_doctor_sees_it(house: Machine) -> None:
    with house.running("--monitor", "--every", "1", "--no-probe") as monitor:
        wait_until(lambda: monitor.said.count('"monitor_round"') >= 2, monitor.process)
        assert monitor.stop(signal.SIGTERM) == 0
    assert '"level": "error"' not in monitor.said, monitor.said
    assert "recovery_" not in monitor.said
    once = house.run("monitor", "--once", "--no-probe")
    assert '"monitor_round"' in once.stderr
    report = json.loads(house.run("doctor", "--json", "--no-probe").stdout)
    (row,) = [check for check in report["checks"] if check["name"] == "monitor"]
    assert "last looked" in row["figure"]
    assert "inspector_monitor_age_seconds" in house.web.get("/metrics").text
