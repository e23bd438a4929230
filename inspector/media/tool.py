"""The one door to external programs: nothing else in the inspector starts ffprobe or ffmpeg.

A program that reads what strangers uploaded may hang, flood, swell or be shot. So each one runs in a session
of its own, dies with us, has limits, a deadline and a watchdog, and is gone (group killed, leader reaped,
descriptors closed) when `run_tool` returns or raises.

How it is started: `prlimit` (limits) executes `setpriv` (parent-death signal, no new privileges) executes
the program, all three in the same process. Both belong to util-linux, which every Debian has. Measured:
1.7 ms for the two steps. A `preexec_fn` runs Python between fork and exec, which may deadlock where there are
threads, and makes subprocess use fork instead of vfork: 18 ms from a process of 500 MB. A sandbox
(`inspector.media.sandbox`) does what `setpriv` does, and stands in its place. Where a cgroup can be made
(`inspector.media.cgroup`), a shell enters it before anything else is executed.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from inspector.errors import Interrupted, ToolFailed, ToolKilled, ToolMissing, ToolStalled, ToolTimeout
from inspector.media.cgroup import process_cage

Sink = Callable[[bytes], object]

#: Wide pipes let the program work on while a sink computes. Linux grants 1 MiB to everybody.
PIPE_BYTES: Final = 2**20
#: Pipes are emptied at this pace rather than at each write: ffmpeg writes thousands of small pieces a second,
#: and waking a reader for each of them cost 10 % of decoding 480p.
PACE_S: Final = 0.02
BUSY_BYTES: Final = 2**14  # a pipe that held so much is read again at once; a pipe may be 64 KiB only
#: A program that pours out whole files would wait for us most of the time: while a pipe fills so far within a
#: pause, pauses get shorter, down to this.
FLOOD_BYTES: Final = 2**16
FLOOD_PACE_S: Final = 0.001
CANCEL_PACE_S: Final = 0.1
TERM_GRACE_S: Final = 1.0
#: Of its time, on one core: a program that had so much did compute, if beside others on a loaded machine.
BUSY_SHARE: Final = 0.25
STDERR_BYTES: Final = 16 * 1024
HARD_CPU_S: Final = 5  # between the CPU limit's warning (SIGXCPU) and its SIGKILL

#: What the program itself brought about, as opposed to a signal from outside.
CRASHES: Final = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGXFSZ,
    }
)
ASKED_TO_END: Final = 255  # how ffmpeg ends after a SIGTERM from outside
NOT_EXECUTABLE: Final = (126, 127)  # how util-linux says that it could not execute the program
#: How bubblewrap, like a shell, tells that the program died by a signal: 128 and its number. Above these
#: ffmpeg has statuses of its own (183: invalid data).
BY_SIGNAL: Final = range(129, 160)
#: The word in a sandbox's command that stands for the descriptor to which it tells how the program ended.
SANDBOX_REPORT: Final = "report"


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """What the kernel holds a program to. cpu_s is the sum over its threads; no core file in any case.

    processes: threads count; kept where there is a cgroup.  ffmpeg with 64 threads for the decoder of each of
    two streams has about 180.
    """

    memory_bytes: int
    cpu_s: float
    file_bytes: int = 0
    processes: int = 512


def never() -> bool:
    """For programs that nobody cancels."""
    return False


def run_tool(
    argv: Sequence[str],
    *,
    limits: ToolLimits,
    deadline_s: float,
    stall_s: float | None = None,
    sinks: Mapping[str, Sink] | None = None,
    cancelled: Callable[[], bool] = never,
    sandbox: Sequence[str] = (),
) -> str:
    """Run a program to its end, and return the last 16 KiB of what it wrote to stderr.

    sinks: what to do with the bytes of each output. The sink `stdout` gets the standard output; any other
    sink `x` gets a pipe of its own, whose address (`pipe:7`) replaces each argument `pipe:x`. Sinks run in
    the caller's thread: while one computes, the program waits as soon as its pipe is full, and what the sink
    takes counts for the deadline, but not as a stall.
    stall_s: without a byte to any sink for so long, the program is stalled.
    cancelled: asked about ten times a second; true, or an exception of its own, ends the program.
    sandbox: the command that locks the program in (`inspector.media.sandbox.locked_in`); empty: nothing does.

    The caller's thread starts the program and stays here until it is gone. That matters: the parent-death
    signal (SIGKILL) is sent when the *thread* that started the program ends.

    Raises ToolMissing, ToolTimeout, ToolStalled, ToolKilled (a signal from outside), ToolFailed (it ended
    with an error, or crashed), Interrupted, and whatever `cancelled` or a sink raises.
    """
    watch = _Watch(argv[0], deadline_s, stall_s, cancelled)
    stderr, report = _Tail(), _Tail()
    all_sinks: dict[str, Sink] = {**(sinks or {}), "stderr": stderr}
    if sandbox:
        all_sinks[SANDBOX_REPORT] = report
    with _running(argv, limits, sandbox, all_sinks) as (process, pipes):
        try:
            _pump(process, pipes, watch)
        except ToolTimeout as exc:
            exc.busy = _cpu_used_s(process.pid) >= BUSY_SHARE * watch.age_s
            raise
    returncode: int = process.returncode
    if sandbox:
        returncode = _status_inside(returncode, report.text, stderr.text)
    _judge(argv[0], returncode, stderr.text)
    return stderr.text


class _Pipe:
    """One way out of the program. Closing it twice is allowed."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._reader, self._writer = os.pipe()
        self._open = {self._reader, self._writer}
        os.set_blocking(self._reader, False)
        with suppress(OSError):  # the user's pipes may have used up their share of memory: 64 KiB do too
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def writer(self) -> int:
        return self._writer

    def pass_on(self) -> int:
        """Hand what lies in the pipe to the sink; how many bytes that were. Never waits."""
        if self._reader not in self._open:
            return 0
        try:
            data = os.read(self._reader, PIPE_BYTES)
        except BlockingIOError:
            return 0
        if data:
            self._sink(data)
        else:
            self.close()
        return len(data)

    def close_writer(self) -> None:
        """Leave the far end to the program alone."""
        self._close(self._writer)

    def close(self) -> None:
        self._close(self._writer)
        self._close(self._reader)

    def _close(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            os.close(fd)


class _Tail:
    """A sink that keeps the end of what it was given."""

    def __init__(self) -> None:
        self._kept = b""

    def __call__(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-STDERR_BYTES:]

    @property
    def text(self) -> str:
        return self._kept.decode(errors="replace").strip()


class _Watch:
    """Looks at the clock, at progress, and at whether anybody still wants the result."""

    def __init__(
        self, name: str, deadline_s: float, stall_s: float | None, cancelled: Callable[[], bool]
    ) -> None:
        self._name = PurePath(name).name
        self._deadline_s = deadline_s
        self._stall_s = stall_s
        self._cancelled = cancelled
        self._started = self._progressed = time.monotonic()
        self._asked = float("-inf")

    @property
    def age_s(self) -> float:
        """Since it started."""
        return time.monotonic() - self._started

    def progressed(self) -> None:
        self._progressed = time.monotonic()

    def check(self) -> None:
        """Raise if the program must not go on."""
        now = time.monotonic()
        if now - self._asked >= CANCEL_PACE_S:
            self._asked = now
            if self._cancelled():
                raise Interrupted(f"{self._name} was stopped: its result is not wanted any more")
        if now - self._started > self._deadline_s:
            raise ToolTimeout(f"{self._name} took longer than {self._deadline_s:g} s")
        if self._stall_s is not None and now - self._progressed > self._stall_s:
            raise ToolStalled(f"{self._name} made no progress for {self._stall_s:g} s")


@contextmanager
def _running(
    argv: Sequence[str], limits: ToolLimits, sandbox: Sequence[str], sinks: Mapping[str, Sink]
) -> Iterator[tuple[subprocess.Popen[bytes], Mapping[str, _Pipe]]]:
    """The program and a pipe for each sink; on leaving, it is gone and they are closed."""
    pipes: dict[str, _Pipe] = {}
    try:
        for name, sink in sinks.items():
            pipes[name] = _Pipe(sink)
        with process_cage(limits.processes) as entrance:
            process = _start(argv[0], [*entrance, *_command(argv, limits, sandbox, pipes)], pipes)
            try:
                for pipe in pipes.values():
                    pipe.close_writer()
                yield process, pipes
            finally:
                _close_all(pipes)  # first: a program that waits for us to read cannot hear SIGTERM
                _end(process)
    finally:
        _close_all(pipes)


def _close_all(pipes: Mapping[str, _Pipe]) -> None:
    for pipe in pipes.values():
        pipe.close()


def _command(
    argv: Sequence[str], limits: ToolLimits, sandbox: Sequence[str], pipes: Mapping[str, _Pipe]
) -> list[str]:
    """What is executed: the sandbox if there is one, the limits, the program."""
    addresses = {f"pipe:{name}": f"pipe:{pipe.writer}" for name, pipe in pipes.items()}
    program = [_find(argv[0]), *(addresses.get(argument, argument) for argument in argv[1:])]
    if not sandbox:
        bound = [_find("setpriv"), "--pdeathsig", "KILL", "--no-new-privs", "--"]
        return [*_limited(limits), *bound, *program]
    report = str(pipes[SANDBOX_REPORT].writer)
    outside = [report if word == SANDBOX_REPORT else word for word in sandbox]
    return [*outside, *_limited(limits), *program]


def _limited(limits: ToolLimits) -> list[str]:
    cpu_s = max(1, round(limits.cpu_s))
    return [
        *(_find("prlimit"), f"--as={limits.memory_bytes}", f"--cpu={cpu_s}:{cpu_s + HARD_CPU_S}"),
        *(f"--fsize={limits.file_bytes}", "--core=0", "--"),
    ]


def _start(name: str, command: Sequence[str], pipes: Mapping[str, _Pipe]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - a list, never a shell's line; the program is one of ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipes["stdout"].writer if "stdout" in pipes else subprocess.DEVNULL,
            stderr=pipes["stderr"].writer,
            pass_fds=[pipe.writer for pipe in pipes.values()],
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    except (OSError, ValueError) as exc:  # no memory, too many processes; a NUL in an argument
        raise ToolFailed(f"{name} could not be started: {exc}") from exc


def _find(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} is not installed, or not in PATH")
    return path


def _pump(process: subprocess.Popen[bytes], pipes: Mapping[str, _Pipe], watch: _Watch) -> None:
    """Feed the sinks until the program has ended and its pipes are empty."""
    ended = False
    busy = False
    pace_s = PACE_S
    with _end_of(process) as wait_for_end:
        while busy or not ended:
            watch.check()
            if not ended and wait_for_end(0 if busy else pace_s):
                ended = True
                _kill_group(process)  # whoever it left behind would keep the pipes open
            held = {name: pipe.pass_on() for name, pipe in pipes.items()}
            if any(count for name, count in held.items() if name != "stderr"):
                watch.progressed()
            most = max(held.values())
            if not busy:
                pace_s = max(pace_s / 2, FLOOD_PACE_S) if most >= FLOOD_BYTES else min(pace_s * 2, PACE_S)
            busy = most >= (1 if ended else BUSY_BYTES)


@contextmanager
def _end_of(process: subprocess.Popen[bytes]) -> Iterator[Callable[[float], bool]]:
    """A function that waits some seconds for the program's end, without reaping it."""
    pidfd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        yield lambda timeout_s: bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(pidfd)


def _end(process: subprocess.Popen[bytes]) -> None:
    """TERM, then KILL, to the whole group; reap the leader, whose id names the group until then."""
    try:
        with _end_of(process) as wait_for_end:
            if not wait_for_end(0):
                _signal_group(process, signal.SIGTERM)
                wait_for_end(TERM_GRACE_S)
    finally:
        _kill_group(process)
        process.wait()


def _cpu_used_s(session: int) -> float:
    """CPU time of all processes of a session that live, and of their children that ended.

    Source: proc(5), /proc/pid/stat; the fields are counted from behind the name, which may hold anything.
    """
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], signum: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signum)


def _status_inside(returncode: int, report: str, stderr: str) -> int:
    """How the program in the sandbox ended, as subprocess tells it: negative for a signal.

    Raises ToolFailed, as of nobody's file, if the sandbox itself failed: it did not report an exit then.
    """
    if returncode > 0 and "exit-code" not in report:
        raise ToolFailed(f"the sandbox could not be set up: {stderr.rpartition(chr(10))[2]}")
    return 128 - returncode if returncode in BY_SIGNAL else returncode


def _judge(name: str, returncode: int, stderr: str) -> None:
    """Raise what the exit status means."""
    if returncode == 0:
        return
    name = PurePath(name).name
    last = stderr.rpartition("\n")[2]
    if returncode == -signal.SIGXCPU:
        raise ToolTimeout(f"{name} used up its CPU time", returncode=returncode, stderr=stderr)
    if returncode < 0 and -returncode not in CRASHES:
        raise ToolKilled(
            f"{name} was killed by {_signal_name(-returncode)}", returncode=returncode, stderr=stderr
        )
    if returncode < 0:
        raise ToolFailed(
            f"{name} crashed with {_signal_name(-returncode)}", returncode=returncode, stderr=stderr
        )
    if returncode == ASKED_TO_END:
        raise ToolKilled(f"{name} was asked to end: {last}", returncode=returncode, stderr=stderr)
    if returncode in NOT_EXECUTABLE:
        raise ToolMissing(f"{name} cannot be executed: {last}", returncode=returncode, stderr=stderr)
    raise ToolFailed(f"{name} ended with status {returncode}: {last}", returncode=returncode, stderr=stderr)


def _signal_name(signum: int) -> str:
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"
