"""Processes, told from every other that ever had their number, on this machine or another."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from inspector.model import ProcessIdentity, Recording

#: A recorder on another machine that was silent for so long is taken for dead.
SILENT_S = 120.0


def this_process() -> ProcessIdentity:
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), pid, this_boot(), started_at(pid) or 0)


@cache
def this_boot() -> str:
    """This start of this machine, and the namespace in which processes are numbered."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path, but a name of the kernel


def started_at(pid: int) -> int | None:
    """When this process began, in ticks since the machine did; None if it is dead.

    Source: proc(5), /proc/pid/stat, fields 3 and 22; counted from behind the name, which may hold anything.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def has_died(recording: Recording) -> bool:
    """Whether nobody records it any more. Where its process can be looked for, that alone decides."""
    process = recording.process
    if process.boot == this_boot():
        return started_at(process.pid) != process.started
    return recording.heartbeat_age_s > SILENT_S
