"""`inspector reindex`: bring old results up to date with the algorithm of this release."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Final

import click
from rich.filesize import decimal
from rich.progress import MofNCompleteColumn, TaskProgressColumn, TimeRemainingColumn

from inspector.cli.status import bars
from inspector.cli.tables import harmless
from inspector.errors import Interrupted
from inspector.model import ALGORITHM, SEEN_SINCE
from inspector.settings import Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack
from inspector.store import Database, reindexing, workers
from inspector.store.reindexing import ReindexState, Work
from inspector.wiring.adapters import make_database

_LOOK_EVERY_S: Final = 2.0
_SHOWN_FAULTS: Final = 20


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what there is to do, and change nothing.")
@click.option("--no-wait", is_flag=True, help="Do not stay until it is done.")
@click.option("--cancel", is_flag=True, help="Let the workers do no more of it; old results stay.")
@click.pass_obj
def reindex(settings: Settings, dry_run: bool, no_wait: bool, cancel: bool) -> None:
    """Bring the results of older releases up to date, in the background.

    \b
      inspector reindex --dry-run    how many videos, and how much has to be decoded
      inspector reindex              begin, or go on, and show how far it is
      inspector reindex --cancel

    Workers do it while no video waits. Where the fingerprints are still good, nothing is downloaded. Old
    results stay until the new ones are there. New uploads are compared with what is up to date, and with the
    rest if its fingerprints can be read (see --dry-run); else they meet it when it is brought up to date. It
    may be stopped at any time, and goes on with what is left; Ctrl-C ends only this command. Exit codes: 0
    done; 1 it could not be done; 3 done, but some videos could not be brought up to date.
    """
    with _database(join_stack(settings)) as db:
        if dry_run:
            with db.begin() as tx:
                click.echo(_plan(reindexing.estimate(tx, seen_since=SEEN_SINCE)))
        elif cancel:
            with db.begin() as tx:
                was_running = reindexing.cancel(tx)
            click.echo("cancelled; `inspector reindex` goes on with the rest" if was_running else "none runs")
        else:
            _start(db, settings, wait=not no_wait)


def _start(db: Database, settings: Settings, *, wait: bool) -> None:
    with db.begin() as tx:
        reindexing.start(tx)
        state = reindexing.load(tx, max_attempts=settings.max_attempts)
    if not state.left:
        click.echo(f"all results are of algorithm {ALGORITHM}")
        return
    _warn_of_nobody(db, settings)
    if not wait:
        click.echo(f"{state.left} videos are brought up to date as workers have time")
        return
    state = _watch(db, settings, state)
    if state.failed:
        _say_faults(db, state)
        sys.exit(3)
    click.echo(f"all results are of algorithm {ALGORITHM}")


def _warn_of_nobody(db: Database, settings: Settings) -> None:
    with db.begin() as tx:
        if not workers.any_alive(tx, silent_s=settings.lease_s):
            click.echo("no worker is running: start `inspector work`", err=True)


def _watch(db: Database, settings: Settings, state: ReindexState) -> ReindexState:
    """Show how it goes until nothing is left but what failed. Raises Interrupted."""
    stop = StopFlag()
    stop_on_signals(stop)
    with bars(MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("up to date", total=state.total)
        while state.left > state.failed:
            progress.update(task, completed=state.total - state.left)
            if stop.wait(_LOOK_EVERY_S):
                raise Interrupted("the workers go on; `inspector reindex --cancel` stops them")
            with db.begin() as tx:
                state = reindexing.load(tx, max_attempts=settings.max_attempts)
            if not state.running:
                raise Interrupted(f"cancelled; {state.left} videos keep their old results")
    return state


def _say_faults(db: Database, state: ReindexState) -> None:
    click.echo(f"{state.failed} videos keep their old results, among them:", err=True)
    with db.begin() as tx:
        for key, error in reindexing.faults(tx, limit=_SHOWN_FAULTS):
            click.echo(f"  {harmless(key)}: {harmless(error)}", err=True)


def _plan(work: Work) -> str:
    if not work.from_fingerprints + work.to_decode:
        return f"all results are of algorithm {ALGORITHM}"
    long = timedelta(seconds=round(work.media_s))
    return (
        f"to be brought up to date to algorithm {ALGORITHM}:\n"
        f"  {work.from_fingerprints} videos from their fingerprints\n"
        f"  {work.to_decode} videos to be decoded again ({long} of media, {decimal(work.size_bytes)})"
        + (f"\n  {work.apart} of them are not compared with new uploads before that" if work.apart else "")
    )


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    with closing(make_database(settings)) as db:
        yield db
