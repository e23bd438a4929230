"""The stack under load: PostgreSQL, emulator and web server, each a process of its own; and gauges."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from inspector.settings import Settings
from inspector.stack import embedded_postgres, ministack_program, ministack_url, wait_for_ministack
from inspector.store import Database, migrate
from inspector.wiring.adapters import make_database

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 30.0
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class House:
    """What runs. web: process id of the one process that answers, 0 if none was asked for."""

    settings: Settings
    db: Database
    web: int = 0
    emulator: int = 0


@contextmanager
def running(folder: Path, *, port: int, s3_port: int, emulator: bool, web: bool) -> Iterator[House]:
    """Run what is asked for; everything ends with the block."""
    with ExitStack() as stack:
        values: dict[str, Any] = {
            "_env_file": None,
            "database_url": stack.enter_context(embedded_postgres(folder)),
            "data_dir": folder,
            "port": port,
            "embedded_s3_port": s3_port,
            "aws_endpoint_url": f"http://127.0.0.1:{s3_port}",
            "rate_limit": 0,
            "poll_wait_s": 1,
            "log_level": "warning",
        }
        settings = Settings(**values)
        db = stack.enter_context(closing(make_database(settings, pool_size=20)))
        migrate(db)
        emulator_pid = stack.enter_context(_emulator(settings)) if emulator else 0
        web_pid = stack.enter_context(_web(settings, db)) if web else 0
        yield House(settings, db, web_pid, emulator_pid)


@contextmanager
def _emulator(settings: Settings) -> Iterator[int]:
    program = ministack_program(settings)
    with _process(program.argv, program.env, settings.data_dir / "emulator.log") as process:
        wait_for_ministack(settings, alive=lambda: process.poll() is None)
        yield process.pid


@contextmanager
def _web(settings: Settings, db: Database) -> Iterator[int]:
    env = {
        "INSPECTOR_DATABASE_URL": db.url,
        "INSPECTOR_AWS_ENDPOINT_URL": ministack_url(settings),
        "INSPECTOR_DATA_DIR": str(settings.data_dir),
        "INSPECTOR_PORT": str(settings.port),
        "INSPECTOR_RATE_LIMIT": "0",
        "INSPECTOR_LOG_LEVEL": "warning",
        "PYTHONPATH": str(ROOT),
    }
    command = (sys.executable, "-m", "inspector", "serve")
    with _process(command, env, settings.data_dir / "web.log") as process:
        _wait_for_web(settings.port, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield int(children[0])


@contextmanager
def _process(
    argv: tuple[str, ...], env: Mapping[str, str], log_file: Path
) -> Iterator[subprocess.Popen[bytes]]:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            argv, env={**os.environ, **env}, cwd=log_file.parent, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, process_group=0,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_web(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if b'"ready"' in get(port, "/readyz")[1] or b"degraded" in get(port, "/readyz")[1]:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the web server did not start; see web.log")


def get(port: int, target: str) -> tuple[int, bytes]:
    """Status and body of one answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# ---------------------------------------------------------------- gauges


class Gauge:
    """The CPU time that a process takes, as a share of one core, since this was made."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._began = time.monotonic(), cpu_s(pid)

    def share(self) -> float:
        at, spent = self._began
        return (cpu_s(self.pid) - spent) / (time.monotonic() - at)


class Machine:
    """What share of this machine's cores was idle, or given to others (stolen), since this was made."""

    def __init__(self) -> None:
        self._before = _jiffies()

    def shares(self) -> tuple[float, float]:
        spent = [now - then for now, then in zip(_jiffies(), self._before, strict=True)]
        return (spent[3] + spent[4]) / sum(spent), spent[7] / sum(spent)


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    return _status(pid, "VmRSS") / 1024


def threads(pid: int) -> int:
    return _status(pid, "Threads")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name + ":")).split()[1])


def _jiffies() -> list[int]:
    return [int(each) for each in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]


# ---------------------------------------------------------------- words


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *[[str(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
