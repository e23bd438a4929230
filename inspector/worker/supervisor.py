"""Keeps child processes running: starts them again when they die, stops them in order, leaves none behind.

Each child leads a process group of its own, so that Ctrl-C in a terminal reaches the supervisor alone and
nothing a child has started outlives it. If the supervisor itself is killed, the kernel sends SIGTERM to its
children (Linux).
"""

from __future__ import annotations

import ctypes
import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import structlog

from inspector.model import Program
from inspector.signals import StopFlag, stop_on_signals

__all__ = ["ChildState", "StopFlag", "Supervisor", "stop_on_signals"]

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.5  # before a dead child is started again; it doubles
LONGEST_PAUSE_S: Final = 30.0
HEALTHY_AFTER_S: Final = 20.0  # a child that lived so long starts again without a pause
CRASH_LOOP: Final = 5  # short lives in a row that are called a crash loop
FIRST_PULSE_S: Final = 120.0  # for a child to start on a busy machine, before it gives its first pulse
LOG_LIMIT_BYTES: Final = 16 * 2**20  # looked at when a child starts
_KILL_WAIT_S: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class ChildState:
    """How one child is doing. failures: short lives in a row; crash_looping: too many of them."""

    name: str
    pid: int | None
    restarts: int
    failures: int
    crash_looping: bool


class Supervisor:
    """Runs programs until told to stop. Use it as a context manager: leaving it stops every child.

    Programs started together form a rank. Ranks stop in reverse order, the children of one rank together:
    SIGTERM, then SIGKILL to the whole group of those that are still there after `grace_s`.
    """

    def __init__(
        self,
        *,
        grace_s: float,
        stop: StopFlag | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.stop = stop or StopFlag()
        self._grace_s = grace_s
        self._clock = clock
        self._jitter = jitter
        self._ranks: list[list[_Child]] = []

    def start(self, *programs: Program) -> None:
        """Start a rank of programs, and keep them running from now on."""
        rank = [_Child(program, self._clock, self._jitter) for program in programs]
        self._ranks.append(rank)
        for child in rank:
            child.start()

    def run(self) -> None:
        """Look after the children until the flag is raised. They still run when this returns."""
        while not self.stop.wait(LOOK_EVERY_S):
            self.run_once()

    def run_once(self) -> None:
        """Start again each dead child whose pause is over."""
        for child in self._children():
            child.look()

    def alive(self, name: str) -> bool:
        """Whether the child of this name runs now."""
        return any(child.program.name == name and child.runs() for child in self._children())

    def states(self) -> list[ChildState]:
        """How each child is doing, in the order they were started."""
        return [child.state() for child in self._children()]

    def stop_all(self) -> None:
        """Stop every child, the last rank first. None is left, whatever goes wrong with another one."""
        while self._ranks:
            _stop_rank(self._ranks.pop(), self._grace_s, self._clock)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop_all()

    def _children(self) -> list[_Child]:
        return [child for rank in self._ranks for child in rank]


class _Child:
    """One program, and the process that runs it at the moment."""

    def __init__(self, program: Program, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self.program = program
        self._clock = clock
        self._jitter = jitter
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._failures = 0
        self._started_at = 0.0
        self._start_at = 0.0
        self._beat: int | None = None
        self._beat_at = 0.0
        self._patience_s = 0.0

    def start(self) -> None:
        self._started_at = self._clock()
        self._beat, self._beat_at = self._read_pulse(), self._started_at
        self._patience_s = max(FIRST_PULSE_S, self.program.silent_s)
        try:
            self._process = _spawn(self.program)
        except (OSError, subprocess.SubprocessError) as exc:
            self._plan_restart(reason=str(exc))
            return
        log.info("child_started", child=self.program.name, pid=self._process.pid)

    def look(self) -> None:
        """Notice a death, or help it along where the process hangs, and start again when it is time."""
        if self._process is not None:
            if self.runs() and not self._hangs():
                if self._lived_s() >= HEALTHY_AFTER_S:
                    self._failures = 0
                return
            self._bury(self._process)
        elif self._clock() >= self._start_at:
            self._restarts += 1
            self.start()

    def runs(self) -> bool:
        return self._process is not None and not _has_ended(self._process)

    def state(self) -> ChildState:
        pid = self._process.pid if self._process else None
        looping = self._failures >= CRASH_LOOP
        return ChildState(self.program.name, pid, self._restarts, self._failures, looping)

    def ask_to_stop(self) -> None:
        if self._process is not None and self.runs():
            self._process.terminate()

    def end(self) -> None:
        """Kill whatever is left of the child and its group, and reap it."""
        if self._process is None:
            return
        # Before reaping: as long as the leader is a zombie, its number means this group and no other.
        try:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        finally:
            self._process.wait(_KILL_WAIT_S)
            self._process = None

    def _hangs(self) -> bool:
        """Whether the process lives, and has given no sign of it for too long; its first one may take longer.

        Signs are told from each other, never compared with the time of day, which may jump.
        """
        if self.program.pulse is None:
            return False
        beat = self._read_pulse()
        if beat != self._beat:
            self._beat, self._beat_at, self._patience_s = beat, self._clock(), self.program.silent_s
        silent_s = self._clock() - self._beat_at
        if silent_s <= self._patience_s:
            return False
        log.error("child_hangs", child=self.program.name, silent_s=round(silent_s, 1))
        return True

    def _read_pulse(self) -> int | None:
        """When the pulse was last touched, in nanoseconds of the file system's clock."""
        try:
            return self.program.pulse.stat().st_mtime_ns if self.program.pulse else None
        except OSError:
            return None

    def _lived_s(self) -> float:
        return self._clock() - self._started_at

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        self.end()
        self._plan_restart(reason=_cause_of_death(process.returncode))

    def _plan_restart(self, reason: str) -> None:
        lived_s = self._lived_s()
        self._failures = 1 if lived_s >= HEALTHY_AFTER_S else self._failures + 1
        pause_s = 0.0
        if lived_s < HEALTHY_AFTER_S:
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._failures - 1)) * (
                1 - self._jitter() / 4
            )
        self._start_at = self._clock() + pause_s
        say = log.error if self._failures == CRASH_LOOP else log.warning
        say(
            "child_crash_loop" if self._failures >= CRASH_LOOP else "child_died",
            child=self.program.name,
            reason=reason,
            lived_s=round(lived_s, 1),
            restart_in_s=round(pause_s, 1),
        )


def _stop_rank(rank: Sequence[_Child], grace_s: float, clock: Callable[[], float]) -> None:
    for child in rank:
        _whatever_happens(child.ask_to_stop, child)
    deadline = clock() + grace_s
    pause = StopFlag()  # never raised: a second Ctrl-C does not cut the children's grace short
    while clock() < deadline and any(child.runs() for child in rank):
        pause.wait(0.02)
    for child in rank:
        if child.runs():
            log.warning("child_killed", child=child.program.name, grace_s=grace_s)
        _whatever_happens(child.end, child)


def _whatever_happens(action: Callable[[], None], child: _Child) -> None:
    """Trouble with one child must not keep the next one from being stopped."""
    try:
        action()
    except Exception:
        log.exception("child_cleanup_failed", child=child.program.name)


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    with ExitStack() as files:
        output = files.enter_context(_open_log(program.log_file)) if program.log_file else None
        return subprocess.Popen(  # noqa: S603 - our own programs
            list(program.argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **program.env},
            process_group=0,
            preexec_fn=functools.partial(_die_with, os.getpid(), _prctl()) if _prctl() else None,
        )


def _open_log(path: Path) -> BinaryIO:
    """The log to append to, begun anew when it has grown too large."""
    too_large = path.exists() and path.stat().st_size > LOG_LIMIT_BYTES
    return path.open("wb" if too_large else "ab")


@functools.cache
def _prctl() -> Any:
    """Linux's prctl, looked up before the fork: after it, only calls that need no lock are safe."""
    return ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def _die_with(parent: int, prctl: Any) -> None:
    """In the child: ask the kernel for SIGTERM when the parent dies. It may have died already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process is dead. It is not reaped, so its number still belongs to it."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _cause_of_death(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
