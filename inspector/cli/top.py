"""`inspector top`: what happens now, kept up to date; plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from inspector.cli.client import StatusClient
from inspector.cli.tables import harmless, make_console, make_table, name_cell
from inspector.errors import InspectorError
from inspector.settings import Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack

_MOST_ROWS: Final = 40  # more fit on no screen
_BAR_WIDTH: Final = 24

Document = dict[str, Any]


@click.command()
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    help="Seconds from one look to the next.",
)
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.pass_obj
def top(settings: Settings, every_s: float, once: bool) -> None:
    """Show the queue, the workers, and what each of them does, live; Ctrl-C ends it.

    In a pipe or a file it prints one line for each look instead.
    """
    client = StatusClient(join_stack(settings))
    console = make_console()
    if once:
        system, videos = client.system(), client.in_work(_MOST_ROWS)
        console.print(screen(system, videos) if console.is_terminal else line(system, videos), soft_wrap=True)
        return
    client.check_alive()  # a wrong address is told at once; an outage later is waited out
    stop = StopFlag()
    stop_on_signals(stop)
    if console.is_terminal:
        _show_live(client, console, stop, every_s)
    else:
        for text in _lines(client, stop, every_s):
            click.echo(text)


def _show_live(client: StatusClient, console: Console, stop: StopFlag, every_s: float) -> None:
    with Live(Text("…"), console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            try:
                seen: RenderableType = screen(client.system(), client.in_work(_MOST_ROWS))
            except InspectorError as exc:
                seen = Text(f"{exc}; trying again …", style="bold red")
            live.update(seen, refresh=True)
            stop.wait(every_s)


def _lines(client: StatusClient, stop: StopFlag, every_s: float) -> Iterator[str]:
    while not stop.is_set():
        try:
            yield line(client.system(), client.in_work(_MOST_ROWS))
        except InspectorError as exc:
            yield f"{exc}; trying again"
        stop.wait(every_s)


# ---------------------------------------------------------------- what is shown


def line(system: Document, videos: list[Document]) -> str:
    """Everything in one line."""
    alive = sum(worker["alive"] for worker in system["workers"])
    parts = [*_figures(system), f"workers {alive}"]
    parts += [f"{harmless(video['key'])} {_percent(video)}{_eta(video)}" for video in videos]
    return "; ".join(parts)


def screen(system: Document, videos: list[Document]) -> Group:
    """Everything on one screen: figures, workers with what they do, and what went wrong."""
    figures = Text("   ".join(_figures(system)), style="bold")
    parts: list[RenderableType] = [figures, Text(""), _workers(system["workers"], videos)]
    if not any(worker["alive"] for worker in system["workers"]):
        parts.append(Text("No worker is alive: start some with `inspector work`.", style="bold red"))
    if system["sweep"]["blocked"]:
        parts.append(Text(f"The sweep is blocked: {system['sweep']['blocked']}", style="bold red"))
    return Group(*parts)


def _figures(system: Document) -> list[str]:
    jobs, pace, queue = system["jobs"], system["throughput"], system["queue"]
    oldest_s = system["oldest_queued_s"]
    oldest = f" (the oldest for {_seconds(oldest_s)})" if jobs["queued"] and oldest_s is not None else ""
    median = f", {_seconds(pace['median_s'])} each" if pace["median_s"] is not None else ""
    dead = "?" if queue["dead"] is None else queue["dead"]
    waiting = "?" if queue["waiting"] is None else queue["waiting"]
    return [
        f"queued {jobs['queued']}{oldest}",
        f"in work {jobs['processing']}",
        f"within the hour: done {pace['done']}{median}, rejected {pace['rejected']}, failed {pace['failed']}",
        f"failed {jobs['failed']}",
        f"messages {waiting}",
        f"dead letters {dead}",
    ]


def _workers(workers: list[Document], videos: list[Document]) -> RenderableType:
    """A row for each living worker, and for each video that no worker has said yet that it works on."""
    table = make_table("worker", "heartbeat", "works on", "progress", "", "left")
    by_key = {video["key"]: video for video in videos}
    for worker in [each for each in workers if each["alive"]][:_MOST_ROWS]:
        name = f"{worker['host']} {worker['pid']}" + ("" if worker["queue_reached"] else " (no queue)")
        video = by_key.pop(worker["doing"], None)
        table.add_row(Text(harmless(name)), f"{worker['heartbeat_age_s']:.0f} s", *_work(video))
    for video in list(by_key.values())[:_MOST_ROWS]:
        table.add_row("", "", *_work(video))
    return table


def _work(video: Document | None) -> tuple[RenderableType, ...]:
    if video is None:
        return Text("–", style="dim"), "", "", ""
    bar = ProgressBar(total=1.0, completed=video["progress"] or 0.0, width=_BAR_WIDTH)
    return name_cell(video["key"]), bar, _percent(video), _eta(video).strip()


def _percent(video: Document) -> str:
    return f"{100 * (video['progress'] or 0.0):.0f} %"


def _eta(video: Document) -> str:
    return "" if video["eta_s"] is None else f" {_seconds(video['eta_s'])} left"


def _seconds(value: float) -> str:
    """Seconds as people read them."""
    if value < 100:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.0f} h"
