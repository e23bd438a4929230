"""`inspector review`: look at suspected duplicates, decide, and act on what was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, TypeVar

import click

from inspector.api.v1.review_documents import details_of, group_of, made_of, outcomes_of, pair_of, stretch_of
from inspector.cli import review_tables as tables
from inspector.cli.review_actions import actions, apply, numbers_of, tell_done
from inspector.cli.review_options import (
    after_option,
    by_option,
    json_option,
    limit_option,
    note_option,
    print_json,
    user_name,
)
from inspector.cli.tables import harmless
from inspector.errors import DecisionRefused, InspectorError, UnknownSubject
from inspector.model import Decision, Verdict
from inspector.ops.actions import Actions
from inspector.review import GroupId, PairId, StretchId, parse_subject
from inspector.settings import Settings
from inspector.stack import join_stack
from inspector.store.groups import PairView
from inspector.store.judgements import Judgement, Report
from inspector.store.reviews import Page, Reviews
from inspector.wiring.adapters import make_bucket, make_database
from inspector.wiring.reviews import make_reviews

T = TypeVar("T")

_SAID: Final = {kind.value.replace("_", "-"): kind for kind in Decision if kind is not Decision.UNDO}


@click.group()
def review() -> None:
    """Look at suspected duplicates, decide, and act on what was decided.

    \b
      inspector review list                                what is undecided, the surest first
      inspector review show g12                            why, and what lies beside it
      inspector review decide g12@345 --as duplicate       keep the suggested one; nothing is touched
      inspector review decide p3-17 --as not-a-match       remembered, and can be undone
      inspector review undo d346
      inspector review apply --move duplicates/            shows what would be moved; --yes moves it

    Lists name groups with their revision (g12@345): a decision on one that has changed since is refused, and
    says what has changed. Decisions hold for the same bytes, whatever their name.
    """


@review.command("list")
@click.option(
    "--verdict",
    type=click.Choice(["duplicate", "contained", "partial"]),
    default="duplicate",
    show_default=True,
    help="Groups of duplicates, or pairs of which one contains, or shares, a part of the other.",
)
@click.option("--all", "everything", is_flag=True, help="Those that are decided, too.")
@limit_option
@after_option
@json_option
@click.pass_obj
def list_(
    settings: Settings, verdict: str, everything: bool, limit: int, after: str | None, as_json: bool
) -> None:
    """List what is undecided, the surest first."""
    with _reviews(settings) as reviews:
        if verdict != Verdict.DUPLICATE:
            undecided = None if everything else True
            pairs = reviews.pairs(Verdict(verdict), after=after, limit=limit, undecided=undecided)
            _show_page(pairs, pair_of, tables.show_pairs, as_json)
            return
        groups = reviews.groups(after=after, limit=limit, undecided=None if everything else True)
        shown = Page(tuple((group, reviews.suggest(group)) for group in groups.items), groups.after)
        progress = reviews.progress()
    _show_page(
        shown, lambda each: group_of(*each), lambda items: tables.show_groups(items, progress), as_json
    )


@review.command()
@click.argument("item")
@json_option
@click.pass_obj
def show(settings: Settings, item: str, as_json: bool) -> None:
    """Show a group (g12) or a pair (p3-17): which copy to keep and why, what matches, what lies beside it."""
    subject, _ = parse_subject(item)
    with _reviews(settings) as reviews:
        if isinstance(subject, GroupId):
            details = reviews.group(subject)
            if as_json:
                print_json(details_of(details))
            else:
                tables.show_group(details)
        elif isinstance(subject, PairId):
            pair = reviews.pair(subject)
            if as_json:
                print_json(pair_of(pair))
            else:
                tables.show_pairs([pair])
        else:
            raise UnknownSubject("stretches are shown by `inspector review common list`")


@review.command()
@click.argument("items", nargs=-1, required=True)
@click.option("--as", "said", type=click.Choice(list(_SAID)), required=True, help="What it is.")
@click.option("--keep", metavar="KEY", help="Of duplicates: which one to keep.  [default: the suggested one]")
@note_option
@by_option
@json_option
@click.pass_obj
def decide(
    settings: Settings,
    items: tuple[str, ...],
    said: str,
    keep: str | None,
    note: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Decide ITEMS: groups (g12), pairs (p3-17) or common stretches (s3@0-9960); all of them, or none.

    \b
      duplicate     the same video; one is kept, the others may be acted on with `apply`
      not-a-match   shown as a match no more
      same-source   related, and both are kept
      common        they share an intro or the like only; of a stretch: it says nothing, wherever it occurs
      not-common    of a stretch: it does say something, however many share it

    Nothing is touched by it, and everything can be undone.
    """
    if keep is not None and len(items) > 1:
        raise click.UsageError("--keep is for one group or pair")
    with _reviews(settings) as reviews:
        judgements = [_judge(reviews, item, _SAID[said], keep, note) for item in items]
        report = reviews.decide(judgements, actor=actor or user_name())
    kept = {str(judgement.subject): judgement.keep for judgement in judgements}
    _tell(report, as_json, lambda subject: _decided(said, kept[subject]))


@review.command()
@click.argument("items", nargs=-1, required=True)
@note_option
@by_option
@json_option
@click.pass_obj
def undo(
    settings: Settings, items: tuple[str, ...], note: str | None, actor: str | None, as_json: bool
) -> None:
    """Undo decisions (d346; all of them, or none) or actions (a7; each as far as S3 allows it).

    Undone actions first: a decision that is undone brings nothing back by itself.
    """
    acts, said = numbers_of(items, "a"), numbers_of(items, "d")
    if len(acts) + len(said) < len(items):
        raise UnknownSubject("only decisions (d346) and actions (a7) can be undone")
    joined = join_stack(settings)
    with closing(make_database(joined)) as db:
        if acts:
            done = Actions(db, make_bucket(joined)).undo(acts, actor=actor or user_name())
            tell_done(done, as_json)
        if said:
            report = make_reviews(joined, db).undo(said, actor=actor or user_name(), note=note)
            _tell(report, as_json, lambda _: "undone")


@review.command()
@limit_option
@click.option("--before", type=int, metavar="NUMBER", help="Go on from this decision.")
@json_option
@click.pass_obj
def decisions(settings: Settings, limit: int, before: int | None, as_json: bool) -> None:
    """List what was decided, the newest first; undone decisions and their undoing among them."""
    with _reviews(settings) as reviews:
        made = reviews.decisions(before=before, limit=limit)
        keys = reviews.keys_of(made)
    if as_json:
        print_json([made_of(each, keys) for each in made])
    else:
        tables.show_decisions(made, keys)


@review.group()
def common() -> None:
    """What many unrelated videos share: an intro, a jingle, black."""


@common.command("list")
@limit_option
@after_option
@json_option
@click.pass_obj
def list_common(settings: Settings, limit: int, after: str | None, as_json: bool) -> None:
    """List common stretches, each once, those that most videos share first.

    `inspector review decide s3@0-9960 --as not-common` (or `common`) says how to treat one, wherever it is.
    """
    with _reviews(settings) as reviews:
        page = reviews.common(after=after, limit=limit)
    _show_page(page, stretch_of, tables.show_common, as_json)


# ---------------------------------------------------------------- what the commands share


@contextmanager
def _reviews(settings: Settings) -> Iterator[Reviews]:
    joined = join_stack(settings)
    with closing(make_database(joined)) as db:
        yield make_reviews(joined, db)


def _judge(reviews: Reviews, item: str, kind: Decision, keep: str | None, note: str | None) -> Judgement:
    subject, revision = parse_subject(item)
    if kind is Decision.DUPLICATE and keep is None and not isinstance(subject, StretchId):
        shown = reviews.group(subject).group if isinstance(subject, GroupId) else reviews.pair(subject)
        if isinstance(shown, PairView) and shown.match.verdict is not Verdict.DUPLICATE:
            raise DecisionRefused(f"{subject} is {shown.match.verdict}: say with --keep which one to keep")
        keep = reviews.suggest(shown).copy.key
    return Judgement(subject, kind, revision, keep, note)


def _decided(said: str, keep: str | None) -> str:
    return said if keep is None else f"{said}, keeping {harmless(keep)}"


def _tell(report: Report, as_json: bool, words: Callable[[str], str]) -> None:
    """Say what came of each. Raises InspectorError if nothing was saved."""
    if as_json:
        print_json(outcomes_of(report))
    for outcome in report.outcomes:
        if outcome.error is not None:
            click.echo(f"{outcome.subject}: {harmless(str(outcome.error))}", err=True)
        elif report.saved and not as_json:
            number = "as before" if outcome.number is None else f"d{outcome.number}"
            click.echo(f"{outcome.subject}: {words(outcome.subject)} ({number})")
    if not report.saved:
        raise InspectorError("nothing was saved")


def _show_page(
    page: Page[T], document: Callable[[T], Any], show: Callable[[Sequence[T]], None], as_json: bool
) -> None:
    if as_json:
        print_json({"items": [document(item) for item in page.items], "after": page.after})
        return
    show(page.items)
    if page.after is not None:
        click.echo(f"more: --after {page.after}", err=True)


review.add_command(apply)
review.add_command(actions)
