"""`inspector status`: what was found, and how far the rest is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn
from rich.text import Text

from inspector.cli.client import StatusClient
from inspector.cli.tables import harmless, make_console, make_table, name_cell
from inspector.errors import InspectorError, Interrupted, Unavailable
from inspector.model import State
from inspector.settings import Settings
from inspector.signals import StopFlag
from inspector.stack import join_stack

_POLL_S: Final = 0.3
NOT_WELL: Final = (State.REJECTED, State.FAILED)

Video = dict[str, Any]  # a status document, as the API gives it


@click.command()
@click.argument("key", required=False)
@click.option("--watch", is_flag=True, help="Keep showing it until it is final.")
@click.option("--common", is_flag=True, help="List also who shares only what many unrelated videos share.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")
@click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Without KEY: how many."
)
@click.pass_obj
def status(settings: Settings, key: str | None, watch: bool, common: bool, as_json: bool, limit: int) -> None:
    """Show what is known of the video KEY (a key, or a bare file name), or of the newest videos.

    \b
      inspector status
      inspector status 2026/holiday.mp4 --watch
    """
    client = StatusClient(join_stack(settings), common=common)
    if key is None:
        videos = client.page(limit)
    elif watch:
        client.check_alive()
        videos = wait_for(client, [key], timeout_s=float("inf"))
    else:
        videos = [client.one(key)]
    if as_json:
        click.echo(json.dumps(videos if key is None else videos[0], indent=2, ensure_ascii=False))
    else:
        show(videos, details=key is not None)


def wait_for(
    client: StatusClient,
    keys: Sequence[str],
    timeout_s: float,
    *,
    is_answer: Callable[[str, Video], bool] = lambda key, video: True,
    stop: StopFlag | None = None,
) -> list[Video]:
    """Show the progress of these videos until all are final, and what is said `is_answer`.

    Raises InspectorError after the timeout, Interrupted when the flag is raised.
    """
    stop = stop or StopFlag()
    deadline = time.monotonic() + timeout_s
    with bars(TaskProgressColumn()) as progress:
        tasks = {key: progress.add_task(f"{harmless(key)}: …", total=1.0) for key in dict.fromkeys(keys)}
        final: dict[str, Video] = {}
        while len(final) < len(tasks):
            for key in [key for key in tasks if key not in final]:
                video = _ask(client, key)
                if video is None:
                    continue
                said = f"{harmless(key)}: {video['status']}"
                progress.update(tasks[key], description=said, completed=video["progress"])
                if State(video["status"]).final and is_answer(key, video):
                    progress.update(tasks[key], completed=1.0)
                    final[key] = video
            if time.monotonic() > deadline:
                raise InspectorError(
                    f"{len(tasks) - len(final)} videos were not inspected in {timeout_s:g} s"
                )
            if len(final) < len(tasks) and stop.wait(_POLL_S):
                raise Interrupted("stopped before all videos were inspected")
    return [client.one(key) for key in tasks]  # once more: the last one may have changed the first


def show(videos: Sequence[Video], *, details: bool = True) -> None:
    """Print videos as a table; with details, what they share with others, segment by segment."""
    console = make_console()
    if not videos:
        console.print("No videos yet. Drop one: inspector put FILE")
        return
    table = make_table("video", "status", "cuts", "duplicates")
    for video in videos:
        cuts, duplicates = str(video["total_cuts"]), str(len(video["duplicates"]))
        table.add_row(name_cell(video["key"]), _state(video), cuts, duplicates)
    console.print(table)
    if details:
        show_duplicates(console, videos)


def show_duplicates(console: Console, videos: Sequence[Video]) -> None:
    """Print one row for each matched segment."""
    table = make_table("video", "from", "to", "lies in", "from", "to", "verdict", "score")
    for video in videos:
        for duplicate in video["duplicates"]:
            for s in duplicate["segments"]:
                here = _span(s["start_s"], s["end_s"])
                there = _span(s["duplicate_start_s"], s["duplicate_end_s"])
                name, other = name_cell(video["key"]), name_cell(duplicate["key"])
                table.add_row(name, *here, other, *there, duplicate["verdict"], f"{duplicate['score']:.2f}")
    if table.row_count:
        console.print()
        console.print(table)


def _ask(client: StatusClient, key: str) -> Video | None:
    """The status, or None while it cannot be told."""
    try:
        return client.one(key)
    except Unavailable:
        return None


def _state(video: Video) -> Text:
    error = video["error"]
    if error and video["status"] in NOT_WELL:
        return Text(f"{video['status']}: {error['reason']}", style="red")
    running = video["status"] == State.PROCESSING
    return Text(f"{video['status']} {video['progress']:.0%}" if running else video["status"])


def _span(start_s: float, end_s: float) -> tuple[str, str]:
    return f"{start_s:.2f}", f"{end_s:.2f}"


def bars(*last: ProgressColumn) -> Progress:
    """Progress bars on stderr, so that standard output can be piped."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *last,
        console=console,
        disable=not console.is_terminal,
    )
