"""`inspector`: the group of all commands, and what they share.

Exit codes: 0 it is done; 1 it could not be done, and one line on stderr says why; 2 the command line is
wrong; 3 it is done, but some files or videos were rejected or failed.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from inspector import __version__
from inspector.cli.demo import demo
from inspector.cli.scan import scan
from inspector.cli.services import bootstrap, serve, sweep, up, work
from inspector.cli.videos import put, status
from inspector.errors import InspectorError
from inspector.logs import configure_logging
from inspector.settings import load_settings


class _Group(click.Group):
    """Keeps the order of the commands as they are met in life, and says errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InspectorError as exc:
            click.echo(f"inspector: {exc}", err=True)
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="inspector %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Finds videos, and parts of videos, that are already in your S3 bucket.

    \b
      inspector up                      everything on this machine, no Docker needed
      inspector put holiday.mp4 --wait  drop a video, and wait for the answer
      inspector status holiday.mp4      which videos share material with it, and which seconds
      inspector scan ~/Videos           duplicates among local files, no S3 needed

    Settings come from the environment (INSPECTOR_…, DATABASE_URL, AWS_ENDPOINT_URL) or a .env file; the
    README lists them.

    Exit codes: 0 done; 1 it could not be done; 2 wrong command line; 3 done, but some files or videos were
    rejected or failed.
    """
    if "-h" not in sys.argv and "--help" not in sys.argv:
        ctx.obj = load_settings()
        configure_logging(ctx.obj)


for command in (up, put, status, scan, demo, bootstrap, serve, work, sweep):
    main.add_command(command)
