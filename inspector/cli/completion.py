"""`inspector completion`: what a shell needs to complete our command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_INSPECTOR_COMPLETE"  # by which click is asked for completions


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what SHELL needs to complete commands and options.

    \b
      bash  echo 'eval "$(inspector completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(inspector completion zsh)"' >> ~/.zshrc    (behind `compinit`)
      fish  inspector completion fish > ~/.config/fish/completions/inspector.fish
    """
    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"completion for {shell} is not known here")
    click.echo(complete(ctx.find_root().command, {}, "inspector", _VARIABLE).source())
