"""`inspector watch`: upload what lies in a folder, and what comes."""

from __future__ import annotations

import random
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import click
from rich.progress import DownloadColumn, Progress, TaskID

from inspector.cli.scan import VIDEO_SUFFIXES
from inspector.cli.status import bars
from inspector.cli.tables import harmless
from inspector.errors import Interrupted, Unavailable
from inspector.logs import log_start
from inspector.settings import Settings
from inspector.signals import StopFlag, stop_on_signals
from inspector.stack import join_stack
from inspector.wiring.adapters import make_bucket, make_database
from inspector.worker.folder import Watcher
from inspector.worker.ingest import Ingest

_LONGEST_PAUSE_S: Final = 30.0


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--prefix", default="", help="Put the files under this prefix, for instance `inbox/`.")
@click.option("--once", is_flag=True, help="Upload what lies there now, and end.")
@click.option(
    "--interval", "interval_s", type=click.FloatRange(0.1), default=2.0, show_default=True,
    help="Seconds between two looks.",
)  # fmt: skip
@click.option(
    "--settle", "settle_s", type=click.FloatRange(0), default=5.0, show_default=True,
    help="Seconds for which a file must not change before it is uploaded.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Upload again what the bucket has no more.")
@click.pass_obj
def watch(
    settings: Settings,
    folder: Path,
    prefix: str,
    once: bool,
    interval_s: float,
    settle_s: float,
    again: bool,
) -> None:
    """Upload the videos in FOLDER, and those that come, until Ctrl-C. Nothing is moved, changed or deleted.

    \b
      inspector watch ~/Videos
      inspector watch /mnt/ingest --prefix inbox/
      inspector watch ~/Videos --once

    A key is the path below FOLDER. What was uploaded is remembered: only files that are new, or have changed,
    are uploaded by the next start, even if their objects were removed from the bucket. Hidden files are left
    out. Exit codes of --once: 0 done; 3 done, but some files could not be read or still change.
    """
    stop = StopFlag()
    stop_on_signals(stop)
    if not once:
        log_start("watch")
    joined = join_stack(settings)
    bucket = make_bucket(joined)
    with closing(make_database(joined)) as db, bars(DownloadColumn()) as progress:
        watcher = Watcher(
            db,
            bucket,
            Ingest(db, bucket, joined),
            folder.absolute(),
            _Screen(progress),
            wanted=lambda key: _is_video(joined, key),
            most_bytes=joined.max_size_bytes,
            prefix=prefix,
            settle_s=settle_s,
            again=again,
            stopped=stop.is_set,
        )
        try:
            left = _once(watcher, stop, settle_s) if once else _go_on(watcher, stop, interval_s)
        except Interrupted:
            left = 0
    if left:
        sys.exit(3)


def _once(watcher: Watcher, stop: StopFlag, settle_s: float) -> int:
    """How many files were left out."""
    look = watcher.run_once()
    if look.restless and not stop.wait(settle_s):
        look = watcher.run_once()
    for path in look.restless:
        click.echo(f"{harmless(str(path))}: still changes; left for the next time", err=True)
    return len(look.restless) + watcher.troubles


def _go_on(watcher: Watcher, stop: StopFlag, interval_s: float) -> int:
    """Look again and again until the flag is raised; wait while a service is away."""
    failures = 0
    while not stop.is_set():
        try:
            watcher.run_once()
            failures = 0
        except Unavailable as exc:
            failures += 1
            click.echo(f"inspector: {exc}; trying again", err=True)
        longest_s = min(_LONGEST_PAUSE_S, 2.0**failures) if failures else 0.0
        stop.wait(interval_s + random.uniform(0, longest_s))
    return 0


def _is_video(settings: Settings, key: str) -> bool:
    named = bool(settings.key_suffixes) or Path(key).suffix.lower() in VIDEO_SUFFIXES
    return named and settings.accepts_key(key)


class _Screen:
    """A bar for the file that is uploaded, a line for each one done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def began(self, key: str, size_bytes: int) -> None:
        self._task = self._progress.add_task(harmless(key), total=size_bytes)

    def on_bytes(self, count: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, count)

    def ended(self, key: str, *, whole: bool) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        if whole:
            click.echo(harmless(key))

    def trouble(self, path: Path, sentence: str) -> None:
        click.echo(f"{harmless(str(path))}: {sentence}", err=True)
