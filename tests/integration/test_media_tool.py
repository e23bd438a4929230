"""External programs are held in check: real ones, most of them small shell scripts that misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from inspector.errors import (
    Interrupted,
    LeaseLost,
    ToolFailed,
    ToolKilled,
    ToolMissing,
    ToolStalled,
    ToolTimeout,
)
from inspector.media import ToolLimits, run_tool, tool
from inspector.media.tool import Sink

LIMITS = ToolLimits(memory_bytes=2**30, cpu_s=30)
PATIENCE_S = 20.0


def run(
    script: str,
    *,
    sinks: dict[str, Sink] | None = None,
    limits: ToolLimits = LIMITS,
    deadline_s: float = PATIENCE_S,
    stall_s: float | None = None,
    cancelled: Callable[[], bool] = tool.never,
    arguments: tuple[str, ...] = (),
) -> str:
    return run_tool(
        ["sh", "-c", script, "sh", *arguments],
        limits=limits,
        deadline_s=deadline_s,
        stall_s=stall_s,
        sinks=sinks,
        cancelled=cancelled,
    )


def output_of(script: str, limits: ToolLimits = LIMITS) -> str:
    said = bytearray()
    run(script, sinks={"stdout": said.extend}, limits=limits)
    return said.decode()


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children_of(pid: int) -> list[int]:
    return [
        int(child)
        for listing in Path(f"/proc/{pid}/task").glob("*/children")
        for child in listing.read_text().split()
    ]


# ---------------------------------------------------------------- what goes in and comes out


def test_output_goes_to_the_sinks_and_the_end_of_stderr_is_returned() -> None:
    said, first, second = bytearray(), bytearray(), bytearray()
    stderr = run(
        "echo out; echo one >/proc/self/fd/${1#pipe:}; echo two >/proc/self/fd/${2#pipe:}; echo trouble >&2",
        arguments=("pipe:first", "pipe:second"),
        sinks={"stdout": said.extend, "first": first.extend, "second": second.extend},
    )
    assert (bytes(said), bytes(first), bytes(second), stderr) == (b"out\n", b"one\n", b"two\n", "trouble")


def test_all_output_arrives_however_fast_the_program_ends() -> None:
    assert len(output_of("head -c 3000000 /dev/zero")) == 3_000_000


def test_a_program_that_floods_stderr_is_remembered_by_its_last_words() -> None:
    with pytest.raises(ToolFailed) as caught:
        run("head -c 50000000 /dev/zero | tr '\\0' 'x' >&2; echo; echo last words >&2; exit 3")
    assert caught.value.returncode == 3
    assert caught.value.stderr.endswith("last words")
    assert len(caught.value.stderr) <= tool.STDERR_BYTES


def test_the_program_reads_nothing_and_knows_little() -> None:
    assert output_of("cat") == ""
    names = {line.partition("=")[0] for line in output_of("env").splitlines()}
    assert names <= {"PATH", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"}


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        assert "secret" not in output_of("ls -l /proc/self/fd")


def test_the_kernel_holds_it_to_its_limits() -> None:
    limits = ToolLimits(memory_bytes=2**28, cpu_s=7, file_bytes=512)
    said = output_of("ulimit -v; ulimit -t; ulimit -f; ulimit -c; grep NoNewPrivs /proc/self/status", limits)
    assert said.split() == ["262144", "7", "1", "0", "NoNewPrivs:", "1"]


# ---------------------------------------------------------------- how it ends


def test_a_program_that_is_not_installed_is_missing() -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        run_tool(["no-such-program"], limits=LIMITS, deadline_s=1)


def test_a_program_that_cannot_be_executed_is_missing(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(ToolMissing):
        run_tool([str(program)], limits=LIMITS, deadline_s=PATIENCE_S)


def test_an_argument_no_program_can_take_is_a_failure() -> None:
    with pytest.raises(ToolFailed):
        run("true", arguments=("a\0b",))


def test_death_by_a_signal_from_outside_is_told_from_a_crash() -> None:
    with pytest.raises(ToolKilled, match="SIGKILL"):
        run("kill -KILL $$")
    with pytest.raises(ToolKilled):
        run("exit 255")  # ffmpeg after SIGTERM
    with pytest.raises(ToolFailed, match="SIGSEGV") as caught:
        run("kill -SEGV $$")
    assert type(caught.value) is ToolFailed


def test_cpu_time_used_up_is_a_timeout() -> None:
    with pytest.raises(ToolTimeout, match="CPU"):
        run("while :; do :; done", limits=ToolLimits(2**30, cpu_s=1))


def test_a_deadline_is_kept() -> None:
    with pytest.raises(ToolTimeout) as caught:
        run("while :; do echo x; done", sinks={"stdout": lambda _: None}, deadline_s=0.2)
    assert not isinstance(caught.value, ToolStalled)


def test_silence_is_a_stall_even_if_stderr_chatters() -> None:
    with pytest.raises(ToolStalled):
        run("echo x; while :; do echo x >&2; done", sinks={"stdout": lambda _: None}, stall_s=0.2)


def test_time_a_sink_takes_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [0.0]

    def take_long(_: bytes) -> None:
        late[0] += 100

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0])
    monkeypatch.setattr(tool, "time", clock)
    run("echo x; echo x >&2", sinks={"stdout": take_long}, stall_s=60, deadline_s=1000)


def test_a_program_that_nobody_wants_any_more_is_stopped() -> None:
    with pytest.raises(Interrupted):
        run("sleep 60", cancelled=lambda: True)


def test_an_exception_of_the_canceller_comes_through() -> None:
    def lose() -> bool:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        run("sleep 60", cancelled=lose)


def test_an_exception_of_a_sink_ends_the_program_and_comes_through() -> None:
    def refuse(_: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run("echo x; sleep 60", sinks={"stdout": refuse})


def test_a_program_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "TERM_GRACE_S", 0.1)
    pids: list[int] = []
    script = "trap '' TERM; echo $$; while :; do sleep 60; done"
    with pytest.raises(Interrupted):
        run(script, sinks={"stdout": lambda data: pids.append(int(data))}, cancelled=lambda: bool(pids))
    assert not is_alive(pids[0])


# ---------------------------------------------------------------- what it leaves behind


def test_a_grandchild_does_not_outlive_a_program_that_is_stopped() -> None:
    pids: list[int] = []
    with pytest.raises(Interrupted):
        run(
            "sleep 60 & echo $!; wait",
            sinks={"stdout": lambda data: pids.append(int(data))},
            cancelled=lambda: bool(pids),
        )
    assert eventually(lambda: not is_alive(pids[0]))


def test_a_grandchild_that_holds_the_pipes_open_does_not_keep_us() -> None:
    started = time.monotonic()
    pid = int(output_of("sleep 60 & echo $!"))
    assert time.monotonic() - started < PATIENCE_S
    assert eventually(lambda: not is_alive(pid))


def test_nothing_is_left_of_a_hundred_runs() -> None:
    before, children = set(Path("/proc/self/fd").iterdir()), set(children_of(os.getpid()))
    for n in range(100):
        if n % 10 == 0:
            with pytest.raises(ToolFailed):
                run("exit 1", sinks={"stdout": lambda _: None})
        run("echo x", sinks={"stdout": lambda _: None, "other": lambda _: None})
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert set(children_of(os.getpid())) == children


def test_the_program_dies_with_the_process_that_started_it() -> None:
    script = (
        "from inspector.media import ToolLimits, run_tool\n"
        "run_tool(['sleep', '60'], limits=ToolLimits(2**30, 30), deadline_s=60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        assert eventually(lambda: _names_of_children(parent.pid) == ["sleep"])
        (child,) = children_of(parent.pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not is_alive(child))


def _names_of_children(pid: int) -> list[str]:
    names = []
    for child in children_of(pid):
        with suppress(FileNotFoundError):  # it has ended meanwhile
            names.append(Path(f"/proc/{child}/comm").read_text().strip())
    return names


# ---------------------------------------------------------------- whose fault it is


def test_a_program_that_computes_is_told_from_one_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "BUSY_SHARE", 0.05)  # the machine of a test may be loaded
    with pytest.raises(ToolTimeout) as computing:
        run("while :; do :; done", deadline_s=0.5)
    with pytest.raises(ToolTimeout) as waiting:
        run("sleep 60", deadline_s=0.5)
    assert (computing.value.busy, waiting.value.busy) == (True, False)
