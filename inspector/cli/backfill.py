"""`inspector backfill`: have inspected what has long been in the bucket."""

from __future__ import annotations

from typing import Final

import click
from rich.filesize import decimal
from rich.progress import MofNCompleteColumn, TaskProgressColumn, TimeRemainingColumn

from inspector.cli.status import bars
from inspector.cli.tables import harmless
from inspector.errors import InspectorError, Interrupted
from inspector.logs import configure_logging
from inspector.settings import RESERVED_PREFIX, Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack
from inspector.store.backfills import BackfillState
from inspector.wiring.programs import make_backfill, make_source
from inspector.worker.backfill import Backfill, Survey
from inspector.worker.sources import Source

_LOOK_EVERY_S: Final = 1.0
_NOTHING: Final = "{} names no objects: look at its spelling"


@click.command()
@click.argument("source")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=50,
    show_default=True,
    help="Keys a second, at most, that S3 is asked about.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be queued, and change nothing.")
@click.option("--restart", is_flag=True, help="Begin at the start, not where the last run has come to.")
@click.option("--wait", is_flag=True, help="Stay until everything is inspected, and show how far it is.")
@click.pass_obj
def backfill(settings: Settings, source: str, rate: float, dry_run: bool, restart: bool, wait: bool) -> None:
    """Queue what has long been in the bucket, behind all new uploads.

    \b
      inspector backfill s3://videos/2019/ --dry-run
      inspector backfill s3://videos/2019/ --rate 20 --wait
      inspector backfill s3://inventories/videos/daily/2026-07-01T01-00Z/manifest.json
      inspector backfill keys.csv

    SOURCE is a part of the inspected bucket, or a list of its objects: the manifest of an S3 Inventory (in
    CSV; in Parquet with the extra `inventory`), or a CSV file with the columns bucket and key
    (URL-encoded, as S3 writes them), gzipped or not; lists may lie on this machine or in any bucket. Videos
    that are known and unchanged are passed over. Ctrl-C stops it; the same command goes on where it was.
    """
    joined = _quietly(join_stack(settings))
    keys, work = make_source(joined, source), make_backfill(joined)
    if dry_run:
        click.echo(_plan(source, work.survey(keys)))
        return
    stop = StopFlag()
    stop_on_signals(stop)
    done = _queue(work, keys, rate=rate, restart=restart, stop=stop)
    click.echo(_told(source, done))
    if work.waiting() and not work.anybody_works():
        click.echo("no worker is running: start `inspector work`", err=True)
    if wait:
        _watch(work, stop)
    elif work.waiting():
        click.echo(f"{work.waiting()} videos wait for a worker, behind new uploads; --wait shows how they go")


def _quietly(settings: Settings) -> Settings:
    """A line for each key would bury the bar, unless somebody asked for it."""
    if "log_level" not in settings.model_fields_set:
        configure_logging(settings.model_copy(update={"log_level": "warning"}))
    return settings


def _queue(work: Backfill, keys: Source, *, rate: float, restart: bool, stop: StopFlag) -> BackfillState:
    with bars(MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("counting", total=None)

        def show(state: BackfillState) -> None:
            said = f"looked at, {state.queued} queued"
            progress.update(task, description=said, total=state.total, completed=state.looked_at)

        return work.run(keys, rate=rate, restart=restart, stop=stop, on_state=show)


def _watch(work: Backfill, stop: StopFlag) -> None:
    """Show how the backlog shrinks. Raises Interrupted."""
    waiting = at_first = work.waiting()
    with bars(MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("inspected", total=at_first)
        while waiting:
            progress.update(task, completed=at_first - waiting)
            if stop.wait(_LOOK_EVERY_S):
                raise Interrupted(f"{waiting} videos still wait; the workers go on without this command")
            waiting = work.waiting()
            at_first = max(at_first, waiting)
            progress.update(task, total=at_first)
    click.echo("everything that has long been there is inspected")


def _plan(source: str, found: Survey) -> str:
    size = f" ({decimal(found.size_bytes)})" if found.size_bytes else ""
    if not found.total:
        raise InspectorError(_NOTHING.format(harmless(source)))
    own = f"\n  {found.own} of the inspector's own ({RESERVED_PREFIX})" if found.own else ""
    return (
        f"{harmless(source)}: {found.total} objects\n"
        f"  {found.to_queue} to be queued{size}\n"
        f"  {found.known} known, and unchanged\n"
        f"  {found.ignored} left out by the settings (INSPECTOR_KEY_PREFIX, INSPECTOR_KEY_SUFFIXES){own}"
    )


def _told(source: str, done: BackfillState) -> str:
    refused = f"; S3 refuses {done.forbidden} of them, see the log" if done.forbidden else ""
    if not done.looked_at:
        raise InspectorError(_NOTHING.format(harmless(source)))
    return f"{harmless(source)}: looked at {done.looked_at} objects, queued {done.queued}{refused}"
