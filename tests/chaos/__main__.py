"""`python -m tests.chaos`: one run, its tally, and exit code 1 if anything is not as promised."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.faults import WEIGHTS
from tests.chaos.run import Plan, chaos


@click.command()
@click.option("--seed", type=int, help="Repeats the schedule of a run.  [default: by chance]")
@click.option("--videos", default=150, show_default=True, help="How many.")
@click.option("--faults", default=320, show_default=True, help="How many are to strike.")
@click.option("--minutes", default=8.0, show_default=True, help="How long they may strike, at the most.")
@click.option("--only", multiple=True, type=click.Choice(list(WEIGHTS)), help="Only these faults.")
@click.option("--keep", is_flag=True, help="Leave logs and data where they are.")
def main(
    seed: int | None, videos: int, faults: int, minutes: float, only: tuple[str, ...], keep: bool
) -> None:
    """Inspect some hundred videos in peace and in a war, and compare what was found."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of everything that has to be ended
    chosen = random.SystemRandom().randrange(10**6) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="inspector-chaos-"))
    folder.chmod(0o711)
    click.echo(f"seed {chosen}, in {folder}", err=True)
    try:
        report = chaos(Plan(chosen, videos, faults, 60 * minutes, only or tuple(WEIGHTS)), folder)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    click.echo(report)
    sys.exit(1 if report.problems else 0)


main()
