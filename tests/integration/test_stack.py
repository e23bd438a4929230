"""The embedded PostgreSQL and MiniStack as real processes: shared, killed, restarted, left clean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url

from inspector.aws import Bucket, Queue, make_s3, make_sqs
from inspector.errors import BucketUnavailable, ConfigError
from inspector.ops.bootstrap import bootstrap
from inspector.stack import (
    check_postgres,
    embedded_postgres,
    embedded_postgres_url,
    ministack_program,
    ministack_url,
    postgres_program,
    wait_for_ministack,
)
from inspector.stack.cluster import PORT, Cluster
from inspector.worker.supervisor import Supervisor
from tests.services import ROOT, free_port, running, settings_for_test, wait_until

USE = """
import sys
from pathlib import Path
from inspector.stack import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def data_dir(service_dir: Path, request: pytest.FixtureRequest) -> Path:
    """A fresh data folder with a short path."""
    return service_dir / f"stack-{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def cluster(data_dir: Path) -> Iterator[Cluster]:
    """The cluster of the data folder; its server is stopped at the end, whoever left it running."""
    cluster = Cluster(data_dir)
    yield cluster
    if cluster.data.exists():
        cluster.stop()


def ask(url: str, statement: str) -> Any:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None


def server_pid(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


@contextmanager
def another_user(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the same data folder; it leaves when its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    assert "ready" in process.stdout.readline()
    try:
        yield process
    finally:
        process.communicate(timeout=60)


# ---------------------------------------------------------------- PostgreSQL


def test_rows_outlive_the_server(data_dir: Path, cluster: Cluster) -> None:
    with embedded_postgres(data_dir) as url:
        assert url == embedded_postgres_url(data_dir)
        ask(url, "CREATE TABLE kept AS SELECT 42 AS value")
    assert not cluster.answers()
    with embedded_postgres(data_dir) as url:
        assert ask(url, "SELECT value FROM kept") == (42,)


def test_text_sorts_by_code_point_and_folds_all_letters(data_dir: Path, cluster: Cluster) -> None:
    with embedded_postgres(data_dir) as url:
        assert ask(url, "SELECT 'Z' < 'a', 'z' < 'é', lower('ÉÑ')") == (True, True, "éñ")


def test_the_last_user_stops_the_server(data_dir: Path, cluster: Cluster) -> None:
    with another_user(data_dir) as other:
        with embedded_postgres(data_dir):
            pid = server_pid(cluster)
        assert cluster.answers()
        assert server_pid(cluster) == pid
        other.communicate("\n", timeout=60)
    assert other.returncode == 0
    assert not cluster.answers()
    assert not (cluster.data / "postmaster.pid").exists()


def test_a_killed_user_leaves_a_server_that_the_next_one_uses_and_stops(
    data_dir: Path, cluster: Cluster
) -> None:
    with another_user(data_dir) as other:
        other.kill()
    assert cluster.answers()
    with embedded_postgres(data_dir) as url:
        ask(url, "SELECT 1")
    assert not cluster.answers()


def test_a_killed_server_recovers_at_the_next_start(data_dir: Path, cluster: Cluster) -> None:
    with embedded_postgres(data_dir) as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS value")
        os.kill(server_pid(cluster), signal.SIGKILL)
        wait_until(lambda: not cluster.answers())
        with embedded_postgres(data_dir) as url_again:
            assert ask(url_again, "SELECT value FROM kept") == (42,)


def test_a_pid_file_whose_number_belongs_to_another_process_is_no_obstacle(
    data_dir: Path, cluster: Cluster
) -> None:
    with embedded_postgres(data_dir):
        files = [cluster.data / "postmaster.pid", cluster.socket_dir / f".s.PGSQL.{PORT}.lock"]
        lines = [file.read_text().splitlines() for file in files]
    for file, (_, *rest) in zip(files, lines, strict=True):
        file.write_text("\n".join([str(os.getpid()), *rest]) + "\n")
    with embedded_postgres(data_dir) as url:
        assert ask(url, "SELECT 1") == (1,)


def test_a_half_made_cluster_is_made_again(data_dir: Path, cluster: Cluster) -> None:
    unfinished = cluster.folder / "cluster.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with embedded_postgres(data_dir) as url:
        assert ask(url, "SELECT 1") == (1,)


def test_data_of_another_version_is_not_touched(data_dir: Path, cluster: Cluster) -> None:
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(ConfigError, match="is not of PostgreSQL 18"), embedded_postgres(data_dir):
        raise AssertionError("started on foreign data")


def test_a_server_that_cannot_start_is_told_with_its_own_reason_at_once(
    data_dir: Path, cluster: Cluster
) -> None:
    with embedded_postgres(data_dir):
        pass
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.write("max_connections = plenty\n")
    began = time.monotonic()
    with (
        pytest.raises(ConfigError, match=r"configuration file .* contains errors.*move .* away"),
        embedded_postgres(data_dir),
    ):
        pass
    with Supervisor(grace_s=5) as supervisor:
        supervisor.start(postgres_program(data_dir))
        with pytest.raises(ConfigError, match="contains errors"):
            wait_until(lambda: check_postgres(data_dir))
    assert time.monotonic() - began < 20


def test_a_folder_with_a_long_path_works(service_dir: Path) -> None:
    data_dir = service_dir / ("long-" + "x" * 120)
    with embedded_postgres(data_dir) as url:
        assert ask(url, "SELECT 1") == (1,)
    assert not Cluster(data_dir).socket_dir.exists()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    with pytest.raises(ConfigError, match="INSPECTOR_DATA_DIR"), embedded_postgres(file):
        raise AssertionError("started in a file")


def test_the_supervised_keeper_revives_a_killed_server_and_leaves_none_behind(
    data_dir: Path, cluster: Cluster
) -> None:
    with Supervisor(grace_s=30) as supervisor:
        supervisor.start(postgres_program(data_dir))
        wait_until(cluster.answers)
        first = server_pid(cluster)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: cluster.answers() and server_pid(cluster) != first)
    assert not cluster.answers()
    assert not (cluster.data / "postmaster.pid").exists()


# ---------------------------------------------------------------- MiniStack


def test_objects_queues_and_rules_survive_a_restart(data_dir: Path) -> None:
    settings = settings_for_test(data_dir=data_dir, embedded_s3_port=free_port())
    settings = settings.model_copy(update={"aws_endpoint_url": ministack_url(settings)})
    bucket = Bucket(make_s3(settings), "videos")
    queue = Queue(make_sqs(settings), "events", "events-dlq")

    def started() -> Supervisor:
        supervisor = Supervisor(grace_s=20)
        supervisor.start(ministack_program(settings))
        wait_for_ministack(settings, alive=lambda: supervisor.alive("ministack"))
        return supervisor

    with started():
        assert bootstrap(bucket, queue, visibility_s=120, probe=None).changed
        bucket.put("clip", b"bytes")
    with started():
        assert not bootstrap(bucket, queue, visibility_s=120, probe=None).changed
        assert bucket.head("clip") is not None


def test_bootstrap_heals_what_a_killed_ministack_forgot(data_dir: Path) -> None:
    settings = settings_for_test(data_dir=data_dir, embedded_s3_port=free_port())
    settings = settings.model_copy(update={"aws_endpoint_url": ministack_url(settings)})
    bucket = Bucket(make_s3(settings), "videos")
    queue = Queue(make_sqs(settings), "events", "events-dlq")
    with Supervisor(grace_s=20) as supervisor:
        supervisor.start(ministack_program(settings))
        wait_for_ministack(settings)
        bootstrap(bucket, queue, visibility_s=120, probe=None)
        bucket.put("clip", b"bytes")
        pid = supervisor.states()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _restarted(supervisor))
        wait_for_ministack(settings)
        assert bootstrap(bucket, queue, visibility_s=120, probe=None).ok
        assert bucket.head("clip") is not None


def test_a_ministack_that_ends_while_it_starts_is_told(data_dir: Path) -> None:
    settings = settings_for_test(data_dir=data_dir, embedded_s3_port=free_port())
    with pytest.raises(ConfigError, match="ended while it started"):
        wait_for_ministack(settings, alive=lambda: False)
    with pytest.raises(BucketUnavailable, match=ministack_url(settings)):
        wait_for_ministack(settings, timeout_s=0.2)


def test_ministack_listens_on_loopback_only(data_dir: Path, tmp_path: Path) -> None:
    settings = settings_for_test(data_dir=data_dir, embedded_s3_port=free_port())
    program = ministack_program(settings)
    with running(program.argv, program.env, tmp_path / "log"):
        wait_for_ministack(settings)
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f"{settings.embedded_s3_port:04X}"
    assert {address for address in listening if address.endswith(f":{port}")} == {f"0100007F:{port}"}


def _restarted(supervisor: Supervisor) -> bool:
    supervisor.run_once()
    return supervisor.states()[0].restarts > 0
