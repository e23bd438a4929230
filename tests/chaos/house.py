"""The real stack, where every part can be got at: its processes, its connections, its disk.

PostgreSQL and MiniStack are started here, and the inspector reaches them through proxies; `inspector up` runs
web and workers under its own supervisor.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import boto3
import click
from botocore.config import Config

from inspector.settings import Settings
from inspector.stack import ministack_program
from inspector.stack.cluster import PORT, Cluster
from inspector.stack.ministack import answers
from inspector.store import Database
from tests.acceptance.machine import BUCKET, Machine
from tests.chaos.proxy import Proxy
from tests.services import ROOT, free_port, settings_for_test, wait_until

LEASE_S: Final = 5.0
WORKERS: Final = 3
PATIENCE_S: Final = 60.0
LONG_S: Final = 20.0  # for the inspector to be gone: twice its grace
SCRATCH_BYTES: Final = 48 * 2**20
_SHORT: Final = {
    "INSPECTOR_LEASE_S": str(LEASE_S),
    "INSPECTOR_HEARTBEAT_S": "1",
    "INSPECTOR_MAX_ATTEMPTS": "50",
    "INSPECTOR_RETRY_PAUSE_S": "0.1",
    "INSPECTOR_IDLE_POLL_S": "0.5",
    "INSPECTOR_SWEEP_INTERVAL_S": "5",
    "INSPECTOR_STALL_TIMEOUT_S": "5",
    "INSPECTOR_SEGMENT_S": "2",  # so that there are checkpoints
    "INSPECTOR_PROBE_TIMEOUT_S": "20",
    "INSPECTOR_POLL_WAIT_S": "1",
    "INSPECTOR_VISIBILITY_TIMEOUT_S": "30",
    "INSPECTOR_SHUTDOWN_GRACE_S": "10",
    "INSPECTOR_SCRATCH_RESERVE_BYTES": str(2**20),
    "INSPECTOR_WORKERS": str(WORKERS),
    "INSPECTOR_WEB_THREADS": "8",
    "INSPECTOR_LOG_FORMAT": "json",
    "INSPECTOR_COMMON_FROM": "1000000",  # what is common is told from all pairs: one more may hide others
}
#: Stands before the real ffmpeg: once it is told to, it starts and then does nothing at all. It stands before
#: bubblewrap too, since within the sandbox the sign cannot be seen.
_LORIS: Final = """#!/bin/sh
case "$*" in *-nostdin*) [ -e {sign} ] && mv {sign} {sign}.$$ 2>/dev/null && export LORIS=1 ;; esac
case "$LORIS$0" in 1*/ffmpeg) exec sleep 1000 ;; esac
exec {program} "$@"
"""


class House:
    """Use it as a context manager: leaving it ends everything that runs in it."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder)
        self.faults = folder / "faults"
        self.scratch = folder / "scratch"
        self.loris = self.faults / "loris"
        self.s3_port = free_port()
        self.cluster = Cluster(self.machine.data_dir)
        self.db = Database(self.cluster.url)  # not through a proxy
        self._stack = ExitStack()
        self._s3: subprocess.Popen[bytes] | None = None
        self._up: subprocess.Popen[bytes] | None = None
        self._commands: list[subprocess.Popen[bytes]] = []
        socket = str(self.cluster.socket_dir / f".s.PGSQL.{PORT}")
        self.proxies = {
            "postgres": Proxy(free_port(), partial(asyncio.open_unix_connection, socket)),
            "aws": Proxy(free_port(), partial(asyncio.open_connection, "127.0.0.1", self.s3_port)),
        }

    def __enter__(self) -> House:
        for folder in (self.faults, self.scratch, self.machine.folder / "bin"):
            folder.mkdir()
        self.has_small_disk = self._stack.enter_context(_small_disk(self.scratch))
        for name in filter(shutil.which, ("ffmpeg", "bwrap")):
            loris = self.machine.folder / "bin" / name
            loris.write_text(_LORIS.format(sign=self.loris, program=shutil.which(name)))
            loris.chmod(0o755)
        self._stack.enter_context(closing(self.db))
        self._stack.callback(self.cluster.stop)
        self.cluster.make_folder()
        self.start_postgres()
        self._stack.callback(self.kill_s3)
        self.start_s3()
        for proxy in self.proxies.values():
            self._stack.enter_context(proxy)
        self._stack.callback(self.stop_inspector)
        self._stack.callback(self.end_commands)
        self.start_inspector()
        wait_until(self.machine.web.answers, self._up)
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    # ------------------------------------------------------------ the inspector

    @property
    def env(self) -> Mapping[str, str]:
        return {
            **self.machine.env,
            **_SHORT,
            "PATH": f"{self.machine.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.proxies['postgres'].port}/inspector",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxies['aws'].port}",
            "INSPECTOR_SCRATCH_DIR": str(self.scratch),
            "INSPECTOR_FAILPOINTS": str(self.faults),
        }

    @property
    def said(self) -> str:
        """What the inspector has logged."""
        return (self.machine.folder / "inspector.log").read_text(errors="replace")

    def start_inspector(self) -> None:
        self._up = self._start("up")

    def command(self, *arguments: str) -> None:
        """Start one of the inspector's commands, which ends by itself."""
        self._commands.append(self._start(*arguments))

    def end_commands(self) -> None:
        """Wait for the commands to end, and kill who does not."""
        while self._commands:
            command = self._commands.pop()
            try:
                command.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                command.kill()
                command.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.machine.folder / "inspector.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "inspector", *arguments],
                env=dict(self.env),
                cwd=self.machine.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def inspector_runs(self) -> bool:
        return self._up is not None and self._up.poll() is None

    def stop_inspector(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """End `inspector up` by a signal, and wait until all that it started is gone too."""
        if self._up is None:
            return
        asked_at = time.monotonic()
        with suppress(ProcessLookupError):
            self._up.send_signal(signum)
        self._up.wait(PATIENCE_S)
        self._up = None
        wait_until(lambda: not self.left_behind(), timeout_s=PATIENCE_S)
        if (took_s := time.monotonic() - asked_at) > LONG_S:
            click.echo(f"after {signum.name} it took {took_s:.0f} s until nothing was left", err=True)

    def left_behind(self) -> list[str]:
        """Processes of the inspector, and what they started; but not commands that somebody gave beside it.

        A `bootstrap` may wait for a silent connection for longer than anybody waits for the inspector.
        """
        given = {command.pid for command in self._commands}
        others = [c for pid, c in self.machine.processes().items() if pid not in given]
        return [c for c in others if "-m inspector" in c or "ff" in c.split()[0]]

    def workers(self) -> list[int]:
        return self.machine.find("-m inspector work")

    # ------------------------------------------------------------ PostgreSQL

    def start_postgres(self) -> None:
        self.cluster.ensure_running(PATIENCE_S)

    def stop_postgres(self, signum: signal.Signals) -> None:
        """SIGINT: in good order.  SIGQUIT: at once.  SIGKILL: without a word."""
        pid = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signum)

    # ------------------------------------------------------------ S3 and SQS

    @property
    def settings(self) -> Settings:
        return settings_for_test(data_dir=self.machine.data_dir, embedded_s3_port=self.s3_port)

    @property
    def s3(self) -> Any:
        """S3, not through a proxy."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.s3_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=10
            ),
        )

    def start_s3(self, *, empty: bool = False) -> None:
        """Start the emulator. empty: it knows the bucket, and has forgotten all that lay there."""
        settings = self.settings
        if empty:
            settings = settings.model_copy(update={"data_dir": self.machine.folder / "empty"})
        program = ministack_program(settings)
        assert program.log_file is not None
        with program.log_file.open("ab") as log:
            self._s3 = subprocess.Popen(
                program.argv, env={**self.machine.env, **program.env}, stdout=log, stderr=log, process_group=0
            )
        wait_until(lambda: answers(self.s3_port), self._s3)
        if empty:
            with suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):  # a bootstrap was quicker
                self.s3.create_bucket(Bucket=BUCKET)

    def kill_s3(self) -> None:
        if self._s3 is not None:
            self._s3.kill()
            self._s3.wait()
            self._s3 = None


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own for a folder, if that is permitted. Tells whether it was."""
    size = f"size={SCRATCH_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "none", str(folder)], check=False, capture_output=True
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
