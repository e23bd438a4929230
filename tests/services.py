"""Real services for the tests: PostgreSQL, MiniStack and LocalStack, each started once, on free ports.

A service that is not installed makes the test fail and says what to type; it is never skipped.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import psycopg2
import pytest
from sqlalchemy import make_url
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_fixed

from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.settings import Settings
from inspector.stack import embedded_postgres, ministack_program
from inspector.stack.ministack import answers
from inspector.store import Database, migrate

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[1]
LOCALSTACK: Final = ROOT / ".localstack"
START_TIMEOUT_S: Final = 90.0

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running S3 and SQS."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Places:
    """A bucket and its queues, fresh for one test; `settings` names them. Only the names exist until made."""

    settings: Settings
    bucket: Bucket
    queue: Queue


@pytest.fixture(scope="session")
def service_dir() -> Iterator[Path]:
    """A folder for the services' data with a short path; PostgreSQL's user may pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="inspector-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="session")
def postgres_url(service_dir: Path) -> Iterator[str]:
    """A running PostgreSQL server, for the whole session; its data need not survive a loss of power."""
    with embedded_postgres(service_dir) as url:
        _execute(url, "ALTER SYSTEM SET fsync = off")
        _execute(url, "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of a migrated, empty database, to be copied."""
    _execute(postgres_url, "CREATE DATABASE template_inspector")
    with closing(Database(_with_database(postgres_url, "template_inspector"))) as db:
        migrate(db)
    return "template_inspector"


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without any table, for one test."""
    yield from _fresh_database(postgres_url, "template0")


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A migrated, empty database for one test."""
    yield from _fresh_database(postgres_url, template_database)


@pytest.fixture(scope="module")
def shared_database(postgres_url: str, template_database: str) -> Iterator[Database]:
    """A migrated database for all tests of a module, opened; each empties it first."""
    for url in _fresh_database(postgres_url, template_database):
        with closing(Database(url)) as db:
            yield db


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database for one test, opened."""
    with closing(Database(database_url)) as db:
        yield db


def _fresh_database(postgres_url: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _with_database(postgres_url, name)
    _execute(postgres_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


# ---------------------------------------------------------------- S3 and SQS


@pytest.fixture(scope="session")
def ministack(service_dir: Path) -> Iterator[Endpoint]:
    """A running MiniStack, for the whole session."""
    port = free_port()
    program = ministack_program(settings_for_test(data_dir=service_dir, embedded_s3_port=port))
    with running(program.argv, program.env, service_dir / "ministack.log") as process:
        wait_until(lambda: answers(port), process)
        yield Endpoint("ministack", f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def localstack(service_dir: Path) -> Iterator[Endpoint]:
    """A running LocalStack in host mode, from its own virtual environment, for the whole session."""
    python = LOCALSTACK / "bin" / "python"
    if not python.exists():
        pytest.fail(f"LocalStack is not installed in {LOCALSTACK}: type `make .localstack`", pytrace=False)
    port = free_port()
    env = {
        "DNS_ADDRESS": "0",
        "SERVICES": "s3,sqs,sts",
        "EAGER_SERVICE_LOADING": "1",
        "STRICT_SERVICE_LOADING": "0",  # others when they are asked for: SNS, EventBridge
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_VOLUME_DIR": str(service_dir / "localstack" / "volume"),
        "FILESYSTEM_ROOT": str(service_dir / "localstack" / "fs"),
    }
    command = (str(python), "-m", "localstack.runtime.main")
    with running(command, env, service_dir / "localstack.log") as process:
        wait_until(lambda: answers(port, "/_localstack/health"), process)
        yield Endpoint("localstack", f"http://127.0.0.1:{port}")


@pytest.fixture(params=["ministack", "localstack"])
def aws_endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """Each emulator in turn: the same test runs against both."""
    endpoint: Endpoint = request.getfixturevalue(request.param)
    return endpoint


@pytest.fixture
def named_places(aws_endpoint: Endpoint, tmp_path: Path) -> Places:
    """Names of a bucket and two queues that do not exist yet, and adapters to them."""
    return places_at(aws_endpoint, tmp_path)


@pytest.fixture
def bucket_and_queue(named_places: Places) -> Places:
    """An empty bucket and two empty queues, without notifications between them."""
    places = named_places
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    for name in (places.queue.name, places.queue.dead_letter_name):
        places.queue.client.create_queue(QueueName=name)
    return places


def places_at(endpoint: Endpoint, data_dir: Path, **overrides: Any) -> Places:
    """Unique names at an endpoint, the settings that say so, and adapters."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    settings = settings_for_test(
        aws_endpoint_url=endpoint.url,
        bucket=name,
        queue=f"{name}-events",
        dead_letter_queue=f"{name}-events-dlq",
        data_dir=data_dir,
        **overrides,
    )
    return Places(
        settings=settings,
        bucket=Bucket(make_s3(settings), settings.bucket, make_signer(settings)),
        queue=Queue(make_sqs(settings), settings.queue, settings.dead_letter_queue),
    )


def settings_for_test(**values: Any) -> Settings:
    """Settings that no `.env` of the developer reaches."""
    return Settings(**{"_env_file": None, **values})


# ---------------------------------------------------------------- processes and conditions


@contextmanager
def running(
    argv: Sequence[str], env: Mapping[str, str], log_file: Path, *, grace_s: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in its own process group for the time of the block; nothing of it is left afterwards."""
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            list(argv), env={**os.environ, **env}, stdout=output, stderr=output, process_group=0
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(
    condition: Callable[[], T],
    process: subprocess.Popen[bytes] | None = None,
    *,
    timeout_s: float = START_TIMEOUT_S,
) -> T:
    """Wait until `condition()` is true, and return what it returned; fail when it takes too long."""

    def look() -> T:
        value = condition()
        if not value and process is not None and process.poll() is not None:
            pytest.fail(f"{process.args!r} ended with {process.returncode} while it was waited for")
        return value

    def give_up(state: RetryCallState) -> NoReturn:
        pytest.fail(f"did not happen within {timeout_s:g} s")

    until_true = Retrying(
        retry=retry_if_result(lambda value: not value),
        wait=wait_fixed(0.02),
        stop=stop_after_delay(timeout_s),
        retry_error_callback=give_up,
    )
    return until_true(look)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
