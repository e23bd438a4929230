"""`inspector review apply` and `actions`: act on what was decided, and see what was done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing

import click

from inspector.api.v1.review_documents import action_of, plan_of, result_of
from inspector.cli import review_tables as tables
from inspector.cli.review_options import by_option, json_option, limit_option, print_json, user_name
from inspector.errors import UnknownSubject
from inspector.ops.actions import Actions
from inspector.review.actions import ActionKind
from inspector.settings import Settings
from inspector.stack import join_stack
from inspector.store.actions import Done
from inspector.wiring.adapters import make_bucket, make_database


@click.command()
@click.argument("items", nargs=-1, metavar="[DECISIONS]...")
@click.option("--tag", is_flag=True, help="Tag them: what is kept instead, and by which decision.")
@click.option("--move", "prefix", metavar="PREFIX", help="Move them under this prefix.")
@click.option("--delete", is_flag=True, help="Delete them.")
@click.option("--yes", is_flag=True, help="Do it.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done: so without --yes, too.")
@click.option("--force", is_flag=True, help="Delete also where the bucket keeps no versions: for good.")
@click.option("--resume", is_flag=True, help="Finish what a process that died has begun.")
@by_option
@json_option
@click.pass_obj
def apply(
    settings: Settings,
    items: tuple[str, ...],
    tag: bool,
    prefix: str | None,
    delete: bool,
    yes: bool,
    dry_run: bool,
    force: bool,
    resume: bool,
    actor: str | None,
    as_json: bool,
) -> None:
    """Tag, move or delete the copies that are not kept.

    By all decisions in force, or by DECISIONS (d346) only. Without --yes it shows what would be done. An
    object that is not the one decided on any more is left alone, and so is one whose kept copy is gone.
    `inspector review undo a7` undoes an action.
    """
    chosen = (tag, prefix is not None, delete, resume)
    if chosen.count(True) != 1:
        raise click.UsageError("one of --tag, --move PREFIX, --delete and --resume is needed")
    if yes and dry_run:
        raise click.UsageError("--yes and --dry-run contradict each other")
    numbers = numbers_of(items, "d")
    if len(numbers) < len(items):
        raise UnknownSubject("only decisions (d346) can be acted on")
    joined = join_stack(settings)
    with closing(make_database(joined)) as db:
        actions = Actions(db, make_bucket(joined))
        if resume:
            tell_done(actions.resume(), as_json)
            return
        kind = ActionKind.TAG if tag else ActionKind.DELETE if delete else ActionKind.MOVE
        plan = actions.plan(kind, prefix=prefix, numbers=numbers or None)
        if yes:
            tell_done(actions.apply(plan, actor=actor or user_name(), force=force), as_json)
        elif as_json:
            undoable = actions.undoable(kind)
            print_json(plan_of(plan, None, undoable=undoable, total=len(plan.steps), after=None))
        else:
            tables.show_plan(plan, undoable=actions.undoable(kind), unfinished=len(actions.unfinished()))


@click.command()
@limit_option
@click.option("--before", type=int, metavar="ID", help="Go on from this action.")
@json_option
@click.pass_obj
def actions(settings: Settings, limit: int, before: int | None, as_json: bool) -> None:
    """List what was done to objects, the newest first; also what a crash left half done."""
    joined = join_stack(settings)
    with closing(make_database(joined)) as db:
        found = Actions(db, make_bucket(joined)).page(before=before, limit=limit)
    if as_json:
        print_json([action_of(action) for action in found])
    else:
        tables.show_actions(found)


def numbers_of(items: Sequence[str], letter: str) -> list[int]:
    """The numbers of decisions (d) or actions (a) among these."""
    return [int(i[1:]) for i in items if i[:1] == letter and i[1:].isascii() and i[1:].isdecimal()]


def tell_done(done: Sequence[Done], as_json: bool) -> None:
    """Say what came of each object; exit code 3 if anything could not be done."""
    if as_json:
        print_json([result_of(each) for each in done])
    else:
        tables.show_done(done)
    if any(each.error for each in done):
        sys.exit(3)
