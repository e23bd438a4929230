"""Ending a worker process that hangs, so that its supervisor starts another one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from inspector.errors import InspectorError

_WORDS: Final = (b"inspector", b"work")


def is_worker(pid: int) -> bool:
    """Whether such a process runs on this machine, and is a worker of ours."""
    command = _command_of(pid)
    return all(word in command for word in _WORDS)


def end_hung_worker(pid: int) -> str:
    """Kill the process, if it is a worker of ours with a supervisor. Returns what was done, in words.

    SIGKILL: one that hangs may not heed anything else, and the lease is there for just that.
    Raises InspectorError if there is no such process, or nobody who would start another.
    """
    if not is_worker(pid):
        raise InspectorError(f"process {pid} is gone, or no worker of ours: nothing to end")
    parent = _parent_of(pid)
    if not any(b"inspector" in part for part in _command_of(parent)):
        raise InspectorError(f"worker {pid} has no supervisor of ours: restart it by what has started it")
    os.kill(pid, signal.SIGKILL)
    return f"killed process {pid}; its supervisor {parent} starts another one"


def _command_of(pid: int) -> list[bytes]:
    """The words of a process's command line, names of programs and modules without their folders."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [word.rpartition(b"/")[2] for word in words]


def _parent_of(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:")), 0)
