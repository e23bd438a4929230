"""The supervisor with real, tiny child processes and a clock in the test's hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.model import Program
from inspector.worker.supervisor import (
    CRASH_LOOP,
    FIRST_PULSE_S,
    HEALTHY_AFTER_S,
    LOG_LIMIT_BYTES,
    LONGEST_PAUSE_S,
    Supervisor,
)
from tests.services import wait_until

ROOT = Path(__file__).parents[3]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(clock: Clock) -> Iterator[Supervisor]:
    with Supervisor(grace_s=0.0, clock=clock, jitter=lambda: 0.0) as supervisor:
        yield supervisor


def shell(name: str, script: str) -> Program:
    return Program(name, ("/bin/sh", "-c", script))


def python(name: str, script: str, *arguments: str) -> Program:
    return Program(name, (sys.executable, "-c", script, *arguments))


SLEEPER = shell("sleeper", "exec sleep 1000")


def pid_of(supervisor: Supervisor, index: int = 0) -> int:
    pid = supervisor.states()[index].pid
    assert pid is not None
    return pid


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def let_die(supervisor: Supervisor, name: str) -> None:
    wait_until(lambda: not supervisor.alive(name))
    supervisor.run_once()


def test_a_killed_child_is_started_again_after_a_pause(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(SLEEPER)
    first = pid_of(supervisor)
    os.kill(first, signal.SIGKILL)
    let_die(supervisor, "sleeper")
    supervisor.run_once()
    assert not supervisor.alive("sleeper")
    clock.now += 0.5
    supervisor.run_once()
    assert supervisor.alive("sleeper")
    assert pid_of(supervisor) != first
    assert [child.restarts for child in supervisor.states()] == [1]


@pytest.mark.expects_error_log
def test_pauses_grow_in_a_crash_loop_and_it_shows(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(shell("crasher", "exit 3"))
    pauses = []
    for _ in range(9):
        let_die(supervisor, "crasher")
        started, died_at = supervisor.states()[0].restarts, clock.now
        while supervisor.states()[0].restarts == started:
            clock.now += 0.25
            supervisor.run_once()
        pauses.append(clock.now - died_at)
    assert pauses == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert supervisor.states()[0].crash_looping


@pytest.mark.expects_error_log
def test_a_crash_loop_is_over_as_soon_as_the_child_has_lived_long_enough(
    supervisor: Supervisor, clock: Clock
) -> None:
    supervisor.start(SLEEPER)
    for _ in range(CRASH_LOOP):
        os.kill(pid_of(supervisor), signal.SIGKILL)
        let_die(supervisor, "sleeper")
        clock.now += LONGEST_PAUSE_S
        supervisor.run_once()
    clock.now += HEALTHY_AFTER_S - 1
    supervisor.run_once()
    assert supervisor.states()[0].crash_looping
    clock.now += 1
    supervisor.run_once()
    assert not supervisor.states()[0].crash_looping


def test_a_long_life_ends_the_series_of_failures(supervisor: Supervisor, clock: Clock) -> None:
    supervisor.start(SLEEPER)
    for _ in range(CRASH_LOOP - 1):
        os.kill(pid_of(supervisor), signal.SIGKILL)
        let_die(supervisor, "sleeper")
        clock.now += LONGEST_PAUSE_S
        supervisor.run_once()
    clock.now += HEALTHY_AFTER_S
    os.kill(pid_of(supervisor), signal.SIGKILL)
    let_die(supervisor, "sleeper")
    supervisor.run_once()
    assert supervisor.alive("sleeper")
    assert supervisor.states()[0].failures == 1


@pytest.mark.expects_error_log
def test_a_child_that_lives_but_gives_no_pulse_any_more_is_replaced(
    supervisor: Supervisor, clock: Clock, tmp_path: Path
) -> None:
    pulse = tmp_path / "pulse"
    supervisor.start(replace(SLEEPER, pulse=pulse, silent_s=10))
    first = pid_of(supervisor)
    clock.now += FIRST_PULSE_S
    supervisor.run_once()
    assert pid_of(supervisor) == first, "it may take its time to begin"
    for beat in range(3):
        pulse.touch()
        os.utime(pulse, (beat, beat))  # the time of day may be anything
        supervisor.run_once()
        clock.now += 9
        supervisor.run_once()
    assert pid_of(supervisor) == first
    clock.now += 2
    supervisor.run_once()
    supervisor.run_once()
    assert pid_of(supervisor) != first
    assert not exists(first)


@pytest.mark.expects_error_log
def test_a_child_that_hangs_before_its_first_pulse_is_replaced(
    supervisor: Supervisor, clock: Clock, tmp_path: Path
) -> None:
    supervisor.start(replace(SLEEPER, pulse=tmp_path / "pulse", silent_s=10))
    first = pid_of(supervisor)
    clock.now += FIRST_PULSE_S + 1
    supervisor.run_once()
    supervisor.run_once()
    assert pid_of(supervisor) != first


def test_a_program_that_cannot_be_started_does_not_stop_the_others(supervisor: Supervisor) -> None:
    supervisor.start(Program("missing", ("/no/such/program",)), SLEEPER)
    assert [state.pid is None for state in supervisor.states()] == [True, False]


def test_output_is_appended_to_the_log_file_until_it_is_too_large(
    supervisor: Supervisor, clock: Clock, tmp_path: Path
) -> None:
    log_file = tmp_path / "log"
    log_file.write_bytes(b"before\n")
    talker = Program("talker", ("/bin/sh", "-c", "echo out; echo err >&2"), log_file=log_file)
    supervisor.start(talker)
    let_die(supervisor, "talker")
    assert log_file.read_text() == "before\nout\nerr\n"
    with log_file.open("ab") as file:
        file.truncate(LOG_LIMIT_BYTES + 1)
    clock.now += LONGEST_PAUSE_S
    supervisor.run_once()
    let_die(supervisor, "talker")
    assert log_file.read_text() == "out\nerr\n"


def test_what_a_dead_child_started_in_its_group_dies_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    supervisor.start(shell("parent", f"sleep 1000 & echo $! > {note}.new; mv {note}.new {note}; wait"))
    wait_until(note.exists)
    grandchild = int(note.read_text())
    os.kill(pid_of(supervisor), signal.SIGKILL)
    let_die(supervisor, "parent")
    wait_until(lambda: not _runs(grandchild))


def test_ranks_stop_in_reverse_order_and_the_deaf_are_killed(tmp_path: Path) -> None:
    record = tmp_path / "record"
    obedient = f"trap 'echo $0 >> {record}; exit 0' TERM; touch {tmp_path}/$0; while :; do sleep 0.01; done"
    deaf = f"trap '' TERM; touch {tmp_path}/$0; while :; do sleep 0.01; done"
    names = ["first", "deaf", "last"]
    with Supervisor(grace_s=0.5) as supervisor:
        for name, script in zip(names, (obedient, deaf, obedient), strict=True):
            supervisor.start(Program(name, ("/bin/sh", "-c", script, name)))
        wait_until(lambda: all((tmp_path / name).exists() for name in names))
        pids = [pid_of(supervisor, index) for index in range(3)]
    assert record.read_text().split() == ["last", "first"]
    assert not any(map(exists, pids))


@pytest.mark.expects_error_log
def test_trouble_with_one_child_does_not_save_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(grace_s=0.0)
    supervisor.start(SLEEPER, SLEEPER)
    pids = [pid_of(supervisor, index) for index in range(2)]
    kill = os.killpg

    def refuse_first(group: int, number: int) -> None:
        kill(group, number)
        if group == pids[0]:
            raise PermissionError("no")

    monkeypatch.setattr(os, "killpg", refuse_first)
    supervisor.stop_all()
    assert not any(map(exists, pids))


SUPERVISE = """
import sys
from inspector.model import Program
from inspector.signals import stop_on_signals
from inspector.worker.supervisor import Supervisor
with Supervisor(grace_s=5) as supervisor:
    stop_on_signals(supervisor.stop)
    supervisor.start(Program("sleeper", ("/bin/sleep", "1000")))
    print(supervisor.states()[0].pid, flush=True)
    supervisor.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_supervisor_and_children_with_exit_code_0(number: signal.Signals) -> None:
    with supervising() as (process, child):
        process.send_signal(number)
        assert process.wait(10) == 0
        assert not exists(child)


def test_children_end_when_the_supervisor_is_killed() -> None:
    with supervising() as (process, child):
        process.kill()
        wait_until(lambda: not _runs(child))


class supervising:  # noqa: N801 - used as a context manager
    """A supervisor in a process of its own: gives the process and its child's pid."""

    def __enter__(self) -> tuple[subprocess.Popen[str], int]:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stdout
        for line in self.process.stdout:
            if line.strip().isdigit():
                return self.process, int(line)
        raise AssertionError("the supervisor did not start")

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def _runs(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
