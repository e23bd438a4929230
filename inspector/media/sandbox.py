"""Locks ffprobe and ffmpeg in: they see the one file and the system's programs, and can write nothing.

bubblewrap (`bwrap`) makes namespaces of the program's own: no network, no processes but its own, a root of
the few folders below, an empty /tmp; no capabilities and no new privileges; it dies with us. So even a flaw
in a decoder reads no other file and reaches no other machine. It needs user namespaces, which some kernels
and most containers forbid: whether it works is tried once. What holds without it stands in docs/security.md.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from inspector.errors import ConfigError, ToolFailed
from inspector.media.cgroup import process_cages
from inspector.media.tool import SANDBOX_REPORT, ToolLimits, run_tool
from inspector.settings import SandboxChoice, Settings

#: What programs and their libraries lie in; what does not exist is left out. No /proc and no /dev: ffmpeg
#: needs neither, and a container could not mount them.
SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/alternatives"),
)
PROGRAMS: Final = ("ffprobe", "ffmpeg", "prlimit")
_LIMITS: Final = ToolLimits(memory_bytes=4 * 2**30, cpu_s=10)
_DEADLINE_S: Final = 30.0  # a busy machine loads ffmpeg's two hundred libraries for the first time


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """What holds ffmpeg and ffprobe now.

    kind: BWRAP or NONE.  why: a sentence.  processes_limited: whether a cgroup bounds their number.
    """

    kind: SandboxChoice
    why: str
    processes_limited: bool


def sandbox_status(settings: Settings) -> SandboxStatus:
    """Which sandbox is in force, and why; it is tried once in the life of a process.

    Raises ConfigError where bubblewrap is demanded and does not work.
    """
    limited = process_cages() is not None
    if settings.sandbox is SandboxChoice.NONE:
        return SandboxStatus(SandboxChoice.NONE, "INSPECTOR_SANDBOX says none", limited)
    fault = _fault_of_bwrap()
    if fault is None:
        return SandboxStatus(SandboxChoice.BWRAP, "bubblewrap works here", limited)
    if settings.sandbox is SandboxChoice.BWRAP:
        raise ConfigError(f"INSPECTOR_SANDBOX is bwrap, but {fault}")
    return SandboxStatus(SandboxChoice.NONE, fault, limited)


def locked_in(path: Path, settings: Settings) -> tuple[str, ...]:
    """What `run_tool` needs as `sandbox` for a program that reads this file, and no other.

    Empty where no sandbox is in force. Raises ConfigError like `sandbox_status`.
    """
    if sandbox_status(settings).kind is SandboxChoice.NONE:
        return ()
    return bwrap_command(path.absolute())


def bwrap_command(file: Path | None = None) -> tuple[str, ...]:
    """The command that locks in what follows it. file: an absolute path, seen under its own name."""
    seen = () if file is None else ("--ro-bind", str(file), str(file))
    return (
        *_as_owner(file),
        *(shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"),
        *("--tmpfs", "/tmp", *_system(), *seen),  # noqa: S108 - nobody else sees this one
        *("--remount-ro", "/", "--chdir", "/", "--json-status-fd", SANDBOX_REPORT, "--"),
    )


def _system() -> Iterator[str]:
    """Options that show the folders of the system, and our programs where they lie elsewhere."""
    for folder in map(Path, SYSTEM):
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        elif folder.exists():
            yield from ("--ro-bind", str(folder), str(folder))
    for program in filter(None, map(shutil.which, PROGRAMS)):
        if not any(Path(program).is_relative_to(folder) for folder in SYSTEM):
            yield from ("--ro-bind", program, program)


def _as_owner(file: Path | None) -> tuple[str, ...]:
    """Locked in, even root reads only what is its own: a file of somebody else is read as its owner."""
    if file is None or os.geteuid() != 0 or not file.exists():
        return ()
    owner = file.stat()
    if owner.st_uid == 0:
        return ()
    become = (f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", "--")
    return (shutil.which("setpriv") or "setpriv", *become)


@cache
def _fault_of_bwrap() -> str | None:
    """Why bubblewrap cannot be used here; None if it can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    try:
        for program in ("ffprobe", "ffmpeg"):
            run_tool([program, "-version"], limits=_LIMITS, deadline_s=_DEADLINE_S, sandbox=bwrap_command())
    except ToolFailed as exc:
        return f"bubblewrap does not work here: {exc}"
    return None
