"""Bounds how many processes a program may have, where the kernel lets us: by a cgroup of its own.

RLIMIT_NPROC counts all processes of a user, and does not bind root; a cgroup counts those of one program, and
holds also those that have left its process group. One can be made by root on a machine with cgroups of
version 1; with version 2 only beside us, below a cgroup that was handed to us (systemd: `Delegate=pids` and
`DelegateSubgroup=`). Elsewhere on the machine we make none: limits of the service would not hold there.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_NAME: Final = "inspector"
_DELEGATED: Final = "user.delegate"  # systemd's mark on a cgroup whose inside is another's business
#: Enters the cgroup, then becomes the program; without the limit, should the entrance be gone.
_ENTER: Final = 'echo 0 >"$0"; exec "$@"'
_TRY_TIMEOUT_S: Final = 5.0
_numbers = itertools.count()


@contextmanager
def process_cage(most: int) -> Iterator[tuple[str, ...]]:
    """A new cgroup with at most so many processes and threads, gone at the end with all that are in it.

    Yields what has to stand before a command so that it runs there; nothing where no cgroup can be made.
    """
    base = process_cages()
    cage = _make(base, most) if base is not None else None
    if base is None or cage is None:
        yield ()
        return
    try:
        yield _entrance(cage)
    finally:
        _empty(cage)
        for left in base.glob(f"{_NAME}-{os.getpid()}-*"):
            with suppress(OSError):  # its processes are dying: the next one removes it
                left.rmdir()


@cache
def process_cages() -> Path | None:
    """Where cgroups for programs can be made: found and tried once. None: nowhere."""
    base = find_base(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    if base is None:
        return None
    _remove_left_over(base)
    cage = _make(base, 8)
    if cage is None:
        return None
    try:
        subprocess.run(  # noqa: S603 - a fixed command
            [*_entrance(cage)[:2], 'echo 0 >"$0"', str(cage / "cgroup.procs")],
            check=True,
            capture_output=True,
            timeout=_TRY_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    finally:
        with suppress(OSError):
            cage.rmdir()
    return base


class _Mount(NamedTuple):
    point: Path
    root: str
    version: int


def find_base(memberships: str, mounts: str) -> Path | None:
    """The cgroup below which ours are to be made, if there is any.

    memberships, mounts: the contents of /proc/self/cgroup and /proc/self/mountinfo.
    """
    fields = [line.split(":", 2) for line in memberships.splitlines()]
    ours = {controllers: path for _, controllers, path in fields}
    legacy = next((path for names, path in ours.items() if "pids" in names.split(",")), None)
    path = ours.get("") if legacy is None else legacy
    version = 2 if legacy is None else 1
    for mount in _mounts(mounts):
        if path is not None and mount.version == version and path.startswith(mount.root):
            own = mount.point / path.removeprefix(mount.root).lstrip("/")
            return own if version == 1 else _delegated(own)
    return None


def _mounts(mounts: str) -> Iterator[_Mount]:
    """The mounted hierarchies that may limit processes.  Source: proc(5), /proc/pid/mountinfo."""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        root, point = fields.split()[3:5]
        kind, _, options = rest.split()[:3]
        if kind == "cgroup2":
            yield _Mount(Path(point), root, 2)
        elif kind == "cgroup" and "pids" in options.split(","):
            yield _Mount(Path(point), root, 1)


def _delegated(own: Path) -> Path | None:
    """Where version 2 permits processes in new cgroups without moving ourselves, and somebody let us."""
    if not (own / "cgroup.type").exists():
        return own  # the root
    try:
        handed_over = os.getxattr(own.parent, _DELEGATED) == b"1"
    except OSError:
        return None
    return own.parent if handed_over else None


def _make(base: Path, most: int) -> Path | None:
    cage = base / f"{_NAME}-{os.getpid()}-{next(_numbers)}"
    try:
        cage.mkdir()
        if not (cage / "pids.max").exists():
            (base / "cgroup.subtree_control").write_text("+pids")
        (cage / "pids.max").write_text(str(most))
    except OSError:
        with suppress(OSError):
            cage.rmdir()
        return None
    return cage


def _entrance(cage: Path) -> tuple[str, ...]:
    return (shutil.which("sh") or "/bin/sh", "-c", _ENTER, str(cage / "cgroup.procs"))


def _empty(cage: Path) -> None:
    """Kill whoever is still there: also who left the program's session."""
    with suppress(OSError):
        for pid in (cage / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _remove_left_over(base: Path) -> None:
    """Remove what killed processes of ours left behind."""
    for left in base.glob(f"{_NAME}-*-*"):
        pid = left.name.split("-")[1]
        if not Path(f"/proc/{pid}").exists():
            _empty(left)
            with suppress(OSError):
                left.rmdir()
