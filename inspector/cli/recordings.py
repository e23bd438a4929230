"""`inspector recordings`: what was recorded, what was on air, and cleaning up behind recorders that died."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import click
from rich.progress import DownloadColumn

from inspector.api.on_air import OnAir, StreamMatches
from inspector.api.v1.recording_models import (
    GapDocument,
    detail_document,
    on_air_document,
    recording_document,
)
from inspector.cli.review_options import json_option, limit_option, print_json
from inspector.cli.status import bars
from inspector.cli.tables import make_console, make_table, name_cell
from inspector.errors import InspectorError, UnknownSubject
from inspector.model import Recording, RecordingState
from inspector.processes import has_died
from inspector.settings import Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack
from inspector.store import Database
from inspector.store import recordings as store
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_bucket, make_database
from inspector.worker.recording.joined import join_pieces
from inspector.worker.recording.orphans import Orphans


@click.group()
def recordings() -> None:
    """Look at recordings, and clean up behind recorders that died.

    \b
      inspector recordings list
      inspector recordings show 7               pieces, gaps, and what was on air
      inspector recordings join 7               all of it into one object
      inspector recordings orphans              whose process is gone; --clean ends them
    """


@recordings.command("list")
@click.option("--channel", help="Only of this channel.")
@limit_option
@json_option
@click.pass_obj
def list_(settings: Settings, channel: str | None, limit: int, as_json: bool) -> None:
    """List recordings, the newest first."""
    joined = join_stack(settings)
    with _database(joined) as db, db.begin() as tx:
        found = store.page(tx, joined.bucket, limit=limit, channel=channel)
    _print(found, as_json)


@recordings.command()
@click.argument("number", type=int)
@json_option
@click.pass_obj
def show(settings: Settings, number: int, as_json: bool) -> None:
    """Show what was on air in recording NUMBER, and what is missing; times are those of the stream."""
    joined = join_stack(settings)
    with _database(joined) as db:
        with db.begin() as tx:
            found = store.find(tx, joined.bucket, number)
            segments, gaps = store.segments(tx, number), store.gaps(tx, number)
        if found is None:
            raise UnknownSubject(f"there is no recording {number}")
        statuses = StatusReader(db, min_score=joined.min_score, common_from=joined.common_from)
        on_air = StreamMatches(db, statuses, joined.bucket).of(number)
    missing = [GapDocument.model_validate(gap) for gap in gaps]
    if as_json:
        detail = detail_document(found, segments, missing).model_dump(mode="json")
        told = [on_air_document(each, joined.bucket).model_dump(mode="json") for each in on_air]
        print_json({**detail, "matches": told})
        return
    _print([found], as_json=False)
    _print_gaps(missing)
    _print_on_air(on_air)


@recordings.command()
@click.argument("number", type=int)
@click.pass_obj
def join(settings: Settings, number: int) -> None:
    """Put all pieces of recording NUMBER into one object, which is inspected as one video. Done once."""
    joined = join_stack(settings)
    stop = StopFlag()
    stop_on_signals(stop)
    with _database(joined) as db:
        click.echo(join_recording(db, joined, number, stopped=stop.is_set))


def join_recording(db: Database, settings: Settings, number: int, *, stopped: Callable[[], bool]) -> str:
    """The key of the whole recording. Shows a bar meanwhile."""
    with bars(DownloadColumn()) as progress:
        with db.begin() as tx:
            found = store.find(tx, settings.bucket, number)
        task = progress.add_task(f"recording {number}", total=found.size_bytes if found else None)
        return join_pieces(
            db,
            make_bucket(settings),
            settings,
            number,
            on_bytes=lambda count: progress.advance(task, count),
            stopped=stopped,
        )


@recordings.command()
@click.option(
    "--clean/--dry-run", default=False, help="End them, and upload what they left; or only list them."
)
@json_option
@click.pass_obj
def orphans(settings: Settings, clean: bool, as_json: bool) -> None:
    """List recordings marked as running whose process is gone. Only --clean changes anything.

    On this machine a process is looked for; one on another machine is taken for dead when it was silent for
    two minutes. Pieces that a recorder has left on this machine are uploaded.
    """
    joined = join_stack(settings)
    with _database(joined) as db:
        cleaner = Orphans(db, make_bucket(joined), joined)
        found = cleaner.find()
        done = cleaner.clean(found) if clean else []
    if as_json or not clean:
        _print(found, as_json)
    if found and not clean:
        click.echo("`--clean` ends them, and uploads the pieces that they left on this machine.", err=True)
    for each in done:
        told = f"recording {each.recording.id} cleaned: {each.rescued} pieces uploaded, {each.lost} lost"
        click.echo(told, err=as_json)
    if len(done) < len(found) and clean:
        raise InspectorError(f"{len(found) - len(done)} could not be cleaned: the log says why")


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    with closing(make_database(settings)) as db:
        yield db


def _print(found: Sequence[Recording], as_json: bool) -> None:
    if as_json:
        print_json([recording_document(each).model_dump(mode="json") for each in found])
        return
    console = make_console()
    if not found:
        console.print("None.")
        return
    table = make_table(
        "recording", "channel", "state", "begun", "length", "pieces", "gaps", "missing", "restarts"
    )
    for each in found:
        table.add_row(
            str(each.id),
            name_cell(each.channel),
            _state(each),
            f"{each.started_at:%Y-%m-%d %H:%M:%S}",
            clock(each.duration_s),
            str(each.segments),
            str(each.gaps),
            f"{each.missing_s:.1f} s",
            str(each.restarts),
        )
    console.print(table)


def _state(recording: Recording) -> str:
    dead = recording.state is RecordingState.RUNNING and has_died(recording)
    return "running, but its process is gone" if dead else recording.state.value


def _print_gaps(gaps: Sequence[GapDocument]) -> None:
    if gaps:
        table = make_table("missing from", "to", "because")
        for gap in gaps:
            table.add_row(clock(gap.start_s), clock(gap.end_s), gap.reason)
        console = make_console()
        console.print()
        console.print(table)


def _print_on_air(on_air: Sequence[OnAir]) -> None:
    table = make_table("on air from", "to", "lies in", "from", "to", "verdict", "score")
    for each in on_air:
        s = each.segment
        other = name_cell(f"recording {each.recording_id}" if each.recording_id else each.key)
        there = (f"{s.b_start_s:.2f}", f"{s.b_end_s:.2f}")
        table.add_row(clock(s.a_start_s), clock(s.a_end_s), other, *there, each.verdict, f"{s.score:.2f}")
    if table.row_count:
        console = make_console()
        console.print()
        console.print(table)


def clock(seconds: float) -> str:
    """Stream time as people read it: 1:02:03.45."""
    whole, rest = divmod(round(seconds * 100), 100)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:02}"
