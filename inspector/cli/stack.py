"""The stack of one machine: its parts started in order as supervised children, and stopped in reverse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import click
import structlog
from pydantic import SecretStr
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_fixed,
    wait_random_exponential,
)

from inspector.cli.client import StatusClient
from inspector.errors import InspectorError, Interrupted, Unavailable
from inspector.logs import log_start
from inspector.model import Program
from inspector.ops.bootstrap import WAIT_S, Outcome, Step
from inspector.settings import Settings
from inspector.stack import (
    LONGEST_POLL_S,
    announce_stack,
    check_data_dir,
    check_postgres,
    embedded_postgres_url,
    ministack_program,
    ministack_url,
    only_stack,
    postgres_program,
    preflight,
    wait_for_ministack,
)
from inspector.wiring.adapters import make_database
from inspector.wiring.bootstrap import run_bootstrap
from inspector.worker.supervisor import StopFlag, Supervisor
from inspector.worker.worker import HANGS_AFTER_LEASES

log = structlog.get_logger(__name__)

_START_TIMEOUT_S: Final = 120.0
_SILENT_S: Final = 20.0  # a busy machine may keep a worker waiting for seconds
_LOOK_EVERY_S: Final = 0.2
_S3: Final = "ministack"


@dataclass(slots=True)
class StackInfo:
    """A running stack: where its parts are reached, and who looks after them."""

    settings: Settings
    supervisor: Supervisor
    owns_s3: bool
    s3_restarts: int = 0
    told: tuple[list[str], dict[str, int]] = ([], {})

    @property
    def web_url(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}/"

    @property
    def s3_url(self) -> str | None:
        return self.settings.aws_endpoint_url

    @property
    def drop_command(self) -> str:
        """One line that drops a video with nothing but the AWS command line."""
        target = f"s3://{self.settings.bucket}/"
        if self.s3_url is None:
            return f"aws s3 cp holiday.mp4 {target}"
        keys = "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test " if self.owns_s3 else ""
        return f"{keys}aws --endpoint-url {self.s3_url} s3 cp holiday.mp4 {target}"

    def run_once(self) -> None:
        """Start again what has died; an emulator that was killed has forgotten its queues."""
        self.supervisor.run_once()
        self._tell_of_children()
        restarts = sum(c.restarts for c in self.supervisor.states() if c.name == _S3)
        if restarts != self.s3_restarts and self.supervisor.alive(_S3):
            wait_for_ministack(self.settings)
            _bootstrap(self.settings, self.supervisor.stop)
            self.s3_restarts = restarts

    def _tell_of_children(self) -> None:
        """Let the web know; it is not ready while children die again and again, and it counts restarts."""
        children = self.supervisor.states()
        told = (
            [child.name for child in children if child.crash_looping],
            {c.name: c.restarts for c in children},
        )
        if told != self.told:
            announce_stack(self.settings, *told)
            self.told = told

    def run(self) -> None:
        """Look after the stack until it is asked to stop."""
        while not self.supervisor.stop.wait(_LOOK_EVERY_S):
            try:
                self.run_once()
            except InspectorError as exc:
                log.warning("stack_not_healed_yet", error=str(exc))


@contextmanager
def running_stack(settings: Settings, stop: StopFlag) -> Iterator[StackInfo]:
    """Run everything for the time of the block.

    Raises ConfigError or Unavailable if a part fails, Interrupted if the flag is raised before all parts run.
    """
    wants_s3 = not settings.has_s3
    check_data_dir(settings.data_dir)
    with (
        only_stack(settings.data_dir),
        Supervisor(grace_s=settings.shutdown_grace_s, stop=stop) as supervisor,
    ):
        preflight(settings)
        log_start("up")
        if settings.database_url is None:
            settings = _start_postgres(settings, supervisor)
        if wants_s3:
            settings = _start_s3(settings, supervisor)
        _bootstrap(settings, stop)
        supervisor.start(_program("web", settings, "serve"))
        supervisor.start(*worker_programs(settings, settings.workers))
        client = StatusClient(settings)
        _wait(supervisor, client.check_alive)
        note = announce_stack(settings)
        try:
            yield StackInfo(settings, supervisor, owns_s3=wants_s3)
        finally:
            note.unlink(missing_ok=True)


def worker_programs(settings: Settings, count: int) -> list[Program]:
    """The worker processes, numbered; each serves its metrics on a port of its own, and has its own pulse."""
    check_data_dir(settings.data_dir)
    folder = settings.data_dir.absolute()
    return [_worker_program(settings, index, folder / f"worker-{index}.pulse") for index in range(count)]


def _worker_program(settings: Settings, index: int, pulse: Path) -> Program:
    program = _program(f"worker-{index}", settings, "work", "--index", str(index), "--pulse", str(pulse))
    return replace(program, pulse=pulse, silent_s=max(_SILENT_S, HANGS_AFTER_LEASES * settings.lease_s))


def say_step(step: Step) -> None:
    """Print what bootstrap found or did."""
    click.echo(f"{step.outcome:<10} {step.sentence}")


def _program(name: str, settings: Settings, *arguments: str) -> Program:
    return Program(name, (sys.executable, "-m", "inspector", *arguments), settings.as_environment())


def _start_postgres(settings: Settings, supervisor: Supervisor) -> Settings:
    supervisor.start(replace(postgres_program(settings.data_dir), env=settings.as_environment()))
    url = embedded_postgres_url(settings.data_dir)
    settings = settings.model_copy(update={"database_url": SecretStr(url)})
    db = make_database(settings)

    def look() -> None:
        check_postgres(settings.data_dir)
        db.ping()

    try:
        _wait(supervisor, look)
    finally:
        db.close()
    return settings


def _start_s3(settings: Settings, supervisor: Supervisor) -> Settings:
    supervisor.start(ministack_program(settings))
    wait_for_ministack(settings, alive=lambda: supervisor.alive(_S3))
    poll_wait_s = min(settings.poll_wait_s, LONGEST_POLL_S)
    return settings.model_copy(
        update={"aws_endpoint_url": ministack_url(settings), "poll_wait_s": poll_wait_s}
    )


def _bootstrap(settings: Settings, stop: StopFlag) -> None:
    """Make everything ready, from the start again if a service stumbles meanwhile.

    Raises InspectorError if anything is not as it should be afterwards.
    """
    pause = partial(_pause, stop)
    patiently = Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(WAIT_S),
        sleep=pause,
        reraise=True,
    )
    report = patiently(run_bootstrap, settings, pause=pause)
    if not report.ok:
        raise InspectorError(" ".join(s.sentence for s in report.steps if s.outcome is Outcome.FAILED))


def _pause(stop: StopFlag, seconds: float) -> None:
    """Wait for a service that does not answer yet, unless we are to stop."""
    if stop.wait(seconds):
        raise Interrupted("stopped before everything ran")


def _wait(supervisor: Supervisor, answers: Callable[[], None]) -> None:
    """Wait until a part answers; its children are looked after meanwhile."""

    def look() -> None:
        _pause(supervisor.stop, 0)
        supervisor.run_once()
        answers()

    Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(_START_TIMEOUT_S),
        reraise=True,
    )(look)
