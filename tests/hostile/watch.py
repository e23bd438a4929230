"""What programs opened and reached for, as strace saw it: nothing can be hidden from it.

Every call that opens, makes or removes a file, or touches the network, is recorded, of all processes and
threads, whether it succeeded or not. What is told here was asked for by ffmpeg and ffprobe and their threads.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WATCHED: Final = ("ffmpeg", "ffprobe")
NETWORK: Final = frozenset(
    ("socket", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "socketpair")
)
_BIRTHS: Final = ("clone", "clone3", "fork", "vfork")
_FILES: Final = (
    *("open", "openat", "openat2", "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
    *("mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "truncate"),
)
#: What programs of the system may open: themselves, libraries, and what says how a machine is set up.
_OF_THE_SYSTEM: Final = (
    *("/usr/", "/lib", "/etc/ld.so", "/etc/alternatives/", "/proc/self/", "/proc/sys/", "/sys/devices/"),
    *("/etc/gcrypt/", "/etc/gnutls/", "/etc/ssl/", "/etc/selinux/", "/sys/fs/selinux", "/selinux"),
)
_DEVICES: Final = frozenset(
    ("/dev/null", "/dev/urandom", "/proc/filesystems", "/proc/mounts", "/proc/stat", "/etc/localtime")
)
_CALL: Final = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|\?)", re.DOTALL)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_TIMEOUT_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run of ffmpeg or ffprobe asked of the kernel.

    after: the programs that its process was before.  paths: every file it named, absolute or not, existing or
    not.  network: calls, as strace prints them.
    """

    argv: str
    after: tuple[str, ...]
    paths: frozenset[str]
    network: tuple[str, ...]

    @property
    def foreign(self) -> set[str]:
        """The files it had no business with."""
        others = {path for path in self.paths if path not in _DEVICES and not path.startswith(_OF_THE_SYSTEM)}
        return {path for path in others if f'"file:{path}"' not in self.argv}


def watch(arguments: Sequence[str], folder: Path) -> tuple[str, list[Seen]]:
    """Run Python with these arguments under strace. Returns its standard output, and what was seen."""
    done = subprocess.run(
        [
            *("strace", "--seccomp-bpf", "-f", "-ff", "-qq", "-s", "4096", "-e", "signal=none"),
            *(
                "-e",
                f"trace={','.join((*_FILES, *_BIRTHS, 'execve', 'execveat', '%network'))}",
                "-o",
                str(folder / "calls"),
                sys.executable,
            ),
            *arguments,
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_TIMEOUT_S,
    )
    logs = {path.suffix[1:]: path.read_text(errors="replace") for path in folder.glob("calls.*")}
    return done.stdout, list(read(logs))


def read(logs: dict[str, str]) -> Iterator[Seen]:
    """logs: what strace wrote about each process or thread, by its id."""
    calls = {
        pid: [found for line in text.splitlines() if (found := _CALL.match(line))]
        for pid, text in logs.items()
    }
    for own in calls.values():
        starts = [n for n, call in enumerate(own) if _executes(call)]
        if not starts or _program(own[starts[-1]]) not in WATCHED:
            continue
        of_all = [*own[starts[-1] + 1 :], *_of_threads(own[starts[-1] + 1 :], calls)]
        yield Seen(
            argv=own[starts[-1]][2],
            after=tuple(_program(own[n]) for n in starts[:-1]),
            paths=frozenset(p for c in of_all if c[1] not in NETWORK for p in _STRING.findall(c[2])[:2]),
            network=tuple(call[0] for call in of_all if call[1] in NETWORK),
        )


def _executes(call: re.Match[str]) -> bool:
    return call[1] in ("execve", "execveat") and call[3] == "0"


def _program(call: re.Match[str]) -> str:
    return Path(_STRING.findall(call[2])[0]).name


def _of_threads(own: list[re.Match[str]], calls: dict[str, list[re.Match[str]]]) -> Iterator[re.Match[str]]:
    for call in own:
        if call[1] in _BIRTHS and call[3] in calls:
            yield from calls[call[3]]
            yield from _of_threads(calls[call[3]], calls)
