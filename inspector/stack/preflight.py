"""What must be true before anything starts; each fault is one line that says what to type."""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from inspector.errors import ConfigError
from inspector.media import sandbox_status
from inspector.settings import Settings

LEAST_FFMPEG: Final = (5, 1)  # the first with -fps_mode

_INSTALLERS: Final = {
    "apt-get": "sudo apt-get install ffmpeg",
    "dnf": "sudo dnf install ffmpeg",
    "brew": "brew install ffmpeg",
    "apk": "sudo apk add ffmpeg",
}


def preflight(settings: Settings) -> None:
    """Check the programs, the data folder and the ports that will be bound.

    Raises ConfigError with one line for each fault.
    """
    checks: list[Callable[[], object]] = [
        check_ffmpeg,
        partial(sandbox_status, settings),
        partial(check_data_dir, settings.data_dir),
        partial(check_port, settings.port, "INSPECTOR_PORT", settings.host),
    ]
    if not settings.has_s3:
        checks.append(partial(check_port, settings.embedded_s3_port, "INSPECTOR_EMBEDDED_S3_PORT"))
    faults = []
    for check in checks:
        try:
            check()
        except ConfigError as exc:
            faults.append(str(exc))
    if faults:
        raise ConfigError("\n".join(faults))


def ffmpeg_version() -> str | None:
    """The version of ffmpeg, as it says it; None if it is not installed or does not start."""
    path = shutil.which("ffmpeg")
    try:
        found = re.match(r"ffmpeg version (\S+)", _answer_of(path)) if path else None
    except ConfigError:
        return None
    return found[1] if found else None


def check_ffmpeg() -> None:
    """Raise ConfigError unless ffmpeg and ffprobe are installed and new enough."""
    for tool in ("ffmpeg", "ffprobe"):
        path = shutil.which(tool)
        if path is None:
            raise ConfigError(f"{tool} is not installed: {_how_to_install()}")
        version = _version_of(path)
        if version is not None and version < LEAST_FFMPEG:
            found, least = (".".join(map(str, v)) for v in (version, LEAST_FFMPEG))
            raise ConfigError(
                f"{path} is version {found}, but {least} or newer is needed: {_how_to_install()}"
            )


def check_data_dir(folder: Path) -> None:
    """Make the data folder. Raises ConfigError unless files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    except OSError as exc:
        raise ConfigError(
            f"cannot write to the data folder {folder.absolute()} ({exc.strerror}): "
            "make it writable, or set INSPECTOR_DATA_DIR"
        ) from exc


@contextlib.contextmanager
def only_stack(data_dir: Path) -> Iterator[None]:
    """Keep other stacks out of the data folder for the time of the block; the kernel lets them in again.

    Raises ConfigError if one is there: two emulators would overwrite each other's files.
    """
    with (data_dir / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"`inspector up` already runs in the data folder {data_dir.absolute()}: "
                "stop it, or set INSPECTOR_DATA_DIR and both ports to others"
            ) from None
        yield


def check_port(port: int, setting: str, host: str = "127.0.0.1") -> None:
    """Raise ConfigError if the port is in use or not permitted; `setting` names the way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise ConfigError(
                f"port {port} of {host} cannot be used ({exc.strerror}): "
                f"stop the program that uses it, or set {setting} to another port"
            ) from exc


def _version_of(path: str) -> tuple[int, int] | None:
    """Major and minor version; None for builds from git, which are newer than any number says."""
    found = re.match(r"\w+ version n?(\d+)\.(\d+)", _answer_of(path))
    return (int(found[1]), int(found[2])) if found else None


def _answer_of(path: str) -> str:
    """What the program says of its version. Raises ConfigError if it cannot be started."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed program
            [path, "-version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            process_group=0,  # Ctrl-C is for us: killed by it, the program would look broken
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise ConfigError(f"{path} cannot be started ({exc}): {_how_to_install()}") from exc
    return answer.stdout


def _how_to_install() -> str:
    for installer, command in _INSTALLERS.items():
        if shutil.which(installer):
            return f"type `{command}`"
    return "see https://ffmpeg.org/download.html"
