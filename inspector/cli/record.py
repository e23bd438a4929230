"""`inspector record`: record a live stream, and inspect it while it is on air."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from inspector.cli.recordings import clock, join_recording
from inspector.cli.tables import harmless
from inspector.errors import InspectorError
from inspector.logs import log_start
from inspector.media.live import check_source, shown_source
from inspector.settings import Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack
from inspector.store import Database, recordings
from inspector.wiring.adapters import make_bucket, make_database
from inspector.worker.recording.recorder import Plan, Progress, Recorder

_CHANNEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SAY_EVERY_S: Final = 30.0  # of stream time, where there is no terminal


def _check_channel(ctx: click.Context, option: click.Parameter, value: str) -> str:
    if not _CHANNEL.fullmatch(value):
        raise click.BadParameter(
            "letters, digits, `.`, `_` and `-`, at most 100, beginning with one of the former"
        )
    return value


@click.command()
@click.argument("url")
@click.option("--channel", required=True, callback=_check_channel, help="What the recording is called.")
@click.option(
    "--segment", "segment_s", type=click.FloatRange(2, 3600), default=30.0, show_default=True,
    help="Seconds of a piece.",
)  # fmt: skip
@click.option(
    "--duration", "duration_s", type=click.FloatRange(1), help="End after so many seconds.  [default: never]"
)
@click.option(
    "--give-up", "give_up_s", type=click.FloatRange(1),
    help="End when the source is dead for so many seconds.  [default: never]",
)  # fmt: skip
@click.option(
    "--stall", "stall_s", type=click.FloatRange(1), default=20.0, show_default=True,
    help="Ask a source anew that delivers nothing for so many seconds.",
)  # fmt: skip
@click.option("--concat", is_flag=True, help="At the end, put all pieces into one object, too.")
@click.pass_obj
def record(
    settings: Settings,
    url: str,
    channel: str,
    segment_s: float,
    duration_s: float | None,
    give_up_s: float | None,
    stall_s: float,
    concat: bool,
) -> None:
    """Record the live stream at URL, piece by piece, into the bucket, until Ctrl-C.

    \b
      inspector record https://example.org/live.m3u8 --channel news
      inspector record srt://0.0.0.0:9000?mode=listener --channel studio

    HLS, RTMP, RTSP, SRT, UDP, RTP, TCP: what ffmpeg opens. Each piece is uploaded when it is whole, and
    inspected while the recording goes on; `inspector recordings show` tells what was on air. A source that
    fails is asked again and again; what it did not deliver is noted as a gap. After 23.98 hours or 100 GB the
    next recording of the channel begins. Ctrl-C again does not wait for the last uploads.
    """
    check_source(url)
    stop = StopFlag()
    stop_on_signals(stop)
    log_start("record")
    joined = join_stack(settings)
    plan = Plan(url, channel, segment_s, duration_s, give_up_s, stall_s)
    with closing(make_database(joined, pool_size=5)) as db, _Screen(channel) as screen:
        recorder = Recorder(
            db,
            make_bucket(joined),
            joined,
            plan,
            stopped=stop.is_set,
            wait=stop.wait,
            hurried=lambda: stop.times > 1,
            on_progress=screen.show,
        )
        made = recorder.run()
        screen.stop()
        already = stop.times
        full = {recording_id for recording_id in made if has_pieces(db, recording_id)}
        for recording_id in made:
            click.echo(f"recording {recording_id}")
            if concat and recording_id in full:
                click.echo(join_recording(db, joined, recording_id, stopped=lambda: stop.times > already))
    if not full:
        raise InspectorError(f"nothing was recorded: {shown_source(url)} delivered nothing")


def has_pieces(db: Database, recording_id: int) -> bool:
    with db.begin() as tx:
        return bool(recordings.segments(tx, recording_id, limit=1))


class _Screen:
    """One line that tells how it stands; on a pipe, a line whenever something is worth one."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._said: tuple[object, ...] = ()

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Show nothing any more."""
        self._live.stop()

    def show(self, progress: Progress) -> None:
        line = told(self._channel, progress)
        if self._console.is_terminal:
            self._live.update(Text(line, style="red" if progress.trouble else ""))
            return
        worth = (progress.trouble, progress.gaps, int(progress.stream_s / _SAY_EVERY_S))
        if worth != self._said:
            self._said = worth
            click.echo(line, err=True)


def told(channel: str, progress: Progress) -> str:
    """How a recording stands, in one line."""
    parts = [
        f"{channel} #{progress.recording_id}",
        clock(int(progress.stream_s))[:-3],
        f"{progress.pieces} pieces uploaded",
    ]
    if progress.waiting:
        parts.append(f"{progress.waiting} waiting")
    if progress.restarts:
        parts.append(f"{progress.restarts} restarts")
    if progress.gaps:
        parts.append(f"{progress.gaps} gaps")
    if progress.trouble:
        parts.append(harmless(progress.trouble))
    return "  ".join(parts)
