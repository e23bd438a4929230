"""The long-running commands, and those that prepare and repair: up, bootstrap, work, sweep."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

import click
import structlog

from inspector import failpoints
from inspector.cli.stack import StackInfo, running_stack, say_step, worker_programs
from inspector.errors import InspectorError, Interrupted, Unavailable
from inspector.logs import log_start
from inspector.settings import Settings
from inspector.signals import exit_at_once
from inspector.stack import join_stack
from inspector.tracing import configure_tracing
from inspector.wiring.adapters import make_database
from inspector.wiring.bootstrap import check_bucket, run_bootstrap
from inspector.wiring.programs import make_sweep, make_worker, serve_metrics
from inspector.worker.supervisor import StopFlag, Supervisor, stop_on_signals

log = structlog.get_logger(__name__)


@click.command()
@click.pass_obj
def up(settings: Settings) -> None:
    """Run everything on this machine: S3, SQS, PostgreSQL, web and workers.

    What the settings name (DATABASE_URL, AWS_ENDPOINT_URL) is used instead of an embedded one. Data stays in
    the data folder; Ctrl-C stops everything, and the next start finds all earlier videos and results.
    """
    stop = StopFlag()
    stop_on_signals(stop)
    try:
        with running_stack(settings, stop) as stack:
            _say_where(stack)
            stack.run()
            click.echo("stopping …", err=True)
    except Interrupted as exc:
        click.echo(str(exc), err=True)


@click.command()
@click.option("--verify-only", is_flag=True, help="Check everything, and change nothing.")
@click.option("--probe", is_flag=True, help="With --verify-only: send a probe object through all the same.")
@click.pass_obj
def bootstrap(settings: Settings, verify_only: bool, probe: bool) -> None:
    """Create bucket, queues, policy and notifications, migrate the database, and prove that events arrive.

    May be run any number of times: it changes only what is not as it should be.
    """
    report = run_bootstrap(join_stack(settings), verify_only=verify_only, probe=probe, on_step=say_step)
    if not report.ok:
        raise InspectorError("bootstrap is not complete: see the lines marked `failed`")


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.  [default: from the settings]")
@click.option("--index", type=click.IntRange(0), hidden=True, help="Which of the workers this one is.")
@click.option(
    "--pulse", type=click.Path(path_type=Path), hidden=True, help="A file to touch while it is well."
)
@click.pass_obj
def work(settings: Settings, workers: int | None, index: int | None, pulse: Path | None) -> None:
    """Run workers: they receive events, inspect videos, and sweep the bucket."""
    log_start("work")
    joined = join_stack(settings)
    _refuse_foreign_database(joined)
    count = workers or joined.workers
    if index is None and count > 1:
        _supervise(joined, count)
        return
    if joined.failpoints:
        failpoints.install(failpoints.folder_of_faults(joined.failpoints))
    configure_tracing(joined, "inspector-worker")
    serve_metrics(joined, index or 0)
    exit_at_once(make_worker(joined, pulse=pulse).run())


@click.command()
@click.option("--confirm-removals", is_flag=True, help="Remove what is missing, however much it is.")
@click.pass_obj
def sweep(settings: Settings, confirm_removals: bool) -> None:
    """Compare the whole bucket with the database now.

    Workers do this every few minutes. A sweep that would remove too large a share of the videos stops and
    waits for --confirm-removals.
    """
    blocked = make_sweep(join_stack(settings)).run_whole(confirm_removals=confirm_removals)
    if blocked:
        raise InspectorError(blocked)
    click.echo("bucket and database agree")


def _refuse_foreign_database(settings: Settings) -> None:
    """Raises ConfigError if its videos are of another bucket. What is out of reach is waited for, as ever."""
    with closing(make_database(settings, pool_size=1)) as db, suppress(Unavailable):
        check_bucket(db, settings.bucket)


def _supervise(settings: Settings, count: int) -> None:
    stop = StopFlag()
    stop_on_signals(stop)
    with Supervisor(grace_s=settings.shutdown_grace_s, stop=stop) as supervisor:
        supervisor.start(*worker_programs(settings, count))
        supervisor.run()


def _say_where(stack: StackInfo) -> None:
    click.echo(
        f"""
The inspector is running.
  status page   {stack.web_url}
  S3 endpoint   {stack.s3_url or "AWS"}   bucket {stack.settings.bucket}
  drop a video  {stack.drop_command}
  ask for it    curl {stack.web_url}status/holiday.mp4
  stop          Ctrl-C
"""
    )
