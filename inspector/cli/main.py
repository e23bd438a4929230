"""`inspector`: the group of all commands, and what they share.

Exit codes: 0 it is done; 1 it could not be done, and one line on stderr says why; 2 the command line is
wrong; 3 it is done, but some files or videos were rejected or failed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from inspector.build import this_build
from inspector.errors import InspectorError
from inspector.logs import configure_logging
from inspector.settings import load_settings

#: The commands as they are met in life, and the modules of this package that hold them.
_COMMANDS: Final = {
    "up": "services",
    "put": "put",
    "watch": "watch",
    "record": "record",
    "recordings": "recordings",
    "status": "status",
    "review": "review",
    "scan": "scan",
    "demo": "demo",
    "bootstrap": "services",
    "serve": "serve",
    "work": "services",
    "sweep": "services",
    "doctor": "doctor",
    "monitor": "monitor",
    "top": "top",
    "backfill": "backfill",
    "reindex": "reindex",
    "prune": "prune",
    "token": "token",
    "config": "config",
    "completion": "completion",
    "help": "help",
}
_WITHOUT_SETTINGS: Final = frozenset(
    {"token", "config", "completion", "help"}
)  # run before they are complete

#: Options that stand for commands, as people try them.
_ALSO: Final = {"--diagnose": "doctor", "--monitor": "monitor"}


class _Group(click.Group):
    """Imports no command but the one that is called, so that it starts at once; says errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"inspector.cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names alone: a line about each would have them all imported at every touch of the key."""
        if not incomplete or incomplete[0].isalpha():
            return [CompletionItem(name) for name in _COMMANDS if name.startswith(incomplete)]
        return super().shell_complete(ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in _ALSO:
            args = [_ALSO[args[0]], *args[1:]]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InspectorError as exc:
            click.echo(f"inspector: {exc}", err=True)
            ctx.exit(1)


def _say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from inspector.stack.preflight import ffmpeg_version  # not at the top: few ask for it

    click.echo(f"inspector {this_build()}, ffmpeg {ffmpeg_version() or 'not installed'}")
    ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version, and what it runs on.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration file.  [default: INSPECTOR_CONFIG, or inspector.toml in this folder]",
)
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Finds videos, and parts of videos, that are already in your S3 bucket.

    \b
      inspector up                      everything on this machine, no Docker needed
      inspector put holiday.mp4 --wait  drop a video, and wait for the answer
      inspector status holiday.mp4      which videos share material with it, and which seconds
      inspector review list             what is undecided, and which copy to keep
      inspector scan ~/Videos           duplicates among local files, no S3 needed
      inspector doctor                  what is wrong, and what to do about it (also: --diagnose)

    Settings come from the environment (INSPECTOR_…, DATABASE_URL, AWS_ENDPOINT_URL), a .env file, or
    inspector.toml; `inspector config example` lists them, `inspector config check` looks for mistakes.

    Exit codes: 0 done; 1 it could not be done; 2 wrong command line; 3 done, but some files or videos were
    rejected or failed.
    """
    if ctx.invoked_subcommand not in _WITHOUT_SETTINGS and not {"-h", "--help"} & set(sys.argv):
        ctx.obj = load_settings(config=config.absolute() if config else None)
        configure_logging(ctx.obj)
