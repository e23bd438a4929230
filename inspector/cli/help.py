"""`inspector help`: the help of one command, or of all of them in one text."""

from __future__ import annotations

from collections.abc import Iterator

import click


@click.command("help")
@click.argument("path", metavar="[COMMAND]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Of all commands, one after another.")
@click.pass_context
def help(ctx: click.Context, path: tuple[str, ...], everything: bool) -> None:
    """Show the help of COMMAND, or of everything.

    \b
      inspector help review decide
      inspector help --all | less
    """
    root = ctx.find_root()
    found = _find(root, path)
    if not everything:
        click.echo(found.get_help())
        return
    click.echo("\n\n".join(context.get_help() for context in all_commands(found)))


def all_commands(context: click.Context) -> Iterator[click.Context]:
    """The context of a command, and of all commands below it, as they are listed; no hidden ones."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from all_commands(click.Context(command, context, name))


def _find(context: click.Context, path: tuple[str, ...]) -> click.Context:
    for name in path:
        group = context.command
        command = group.get_command(context, name) if isinstance(group, click.Group) else None
        if command is None:
            raise click.UsageError(f"No such command {name!r}: see `{context.command_path} --help`.", context)
        context = click.Context(command, context, name)
    return context
