"""`inspector prune`: what is kept longer than wanted."""

from __future__ import annotations

from contextlib import closing

import click
from rich.filesize import decimal

from inspector.cli.tables import make_console, make_table
from inspector.settings import Settings
from inspector.stack import join_stack
from inspector.store.retention import Surplus
from inspector.wiring.adapters import make_database
from inspector.worker.prune import Pruning, changed

_DAYS = click.FloatRange(min=0)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed; so it does without --yes.")
@click.option("--yes", is_flag=True, help="Remove it.")
@click.option("--removed-days", type=_DAYS, help="Keep results of removed videos for so long.")
@click.option("--scans-days", type=_DAYS, help="Keep fingerprints of scanned local files for so long.")
@click.option("--deliveries-days", type=_DAYS, help="Keep what was told to the world outside for so long.")
@click.pass_obj
def prune(
    settings: Settings,
    dry_run: bool,
    yes: bool,
    removed_days: float | None,
    scans_days: float | None,
    deliveries_days: float | None,
) -> None:
    """Say what is kept longer than wanted, and how much room it takes; remove it with --yes.

    \b
      inspector prune                          what the settings let go
      inspector prune --removed-days 90        and removed videos
      inspector prune --removed-days 90 --yes

    How long things are kept is said by INSPECTOR_KEEP_REMOVED_DAYS, INSPECTOR_KEEP_SCANS_DAYS and
    INSPECTOR_KEEP_DELIVERIES_DAYS, which workers heed every hour by themselves. No object of the bucket is
    touched, and no decision forgotten.
    """
    if dry_run and yes:
        raise click.UsageError("either --dry-run or --yes")
    joined = join_stack(settings)
    with closing(make_database(joined)) as db:
        work = Pruning(db, joined.bucket, joined)
        rules = changed(work.rules, removed=removed_days, scans=scans_days, deliveries=deliveries_days)
        found = [each for each in work.survey(rules) if each.count]
        if not found:
            click.echo("nothing is kept longer than wanted")
            return
        _show(found)
        if not yes:
            click.echo("nothing is removed without --yes", err=True)
            return
        work.run_whole(rules)
        click.echo("removed; PostgreSQL uses the room for what comes next", err=True)


def _show(found: list[Surplus]) -> None:
    table = make_table("what", "how many", "about")
    for each in found:
        table.add_row(each.kind, str(each.count), decimal(each.size_bytes) if each.size_bytes else "")
    make_console().print(table)
