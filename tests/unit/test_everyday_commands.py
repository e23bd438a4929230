"""Commands that need nothing: completion, and help in one text."""

from __future__ import annotations

import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from inspector.cli import main
from inspector.cli.help import all_commands


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_speaks_the_language_of_the_shell(shell: str) -> None:
    said = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"_INSPECTOR_COMPLETE={shell}_complete" in said
    if path := shutil.which(shell):
        subprocess.run([path, "-n"], input=said, text=True, check=True)


def complete(words: str) -> list[str]:
    """What bash would offer for the last word."""
    environment = {
        "_INSPECTOR_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    result = CliRunner().invoke(main, [], env=environment, prog_name="inspector")
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


def test_commands_and_options_are_completed() -> None:
    assert complete("inspector st") == ["status"]
    assert complete("inspector review dec") == ["decide", "decisions"]
    assert "--watch" in complete("inspector status --w")
    assert "--config" in complete("inspector --c")
    assert complete("inspector scan --format ") == ["table", "json", "csv"]


def test_what_can_be_chosen_is_written_as_the_documents_write_it() -> None:
    """In small letters: of an enum, click would take the names."""
    for context in all_commands(click.Context(main, None, "inspector")):
        for parameter in context.command.params:
            if isinstance(parameter.type, click.Choice):
                chosen = [parameter.type.normalize_choice(each, context) for each in parameter.type.choices]
                assert chosen == [each.lower() for each in chosen], (context.command_path, parameter.name)


def test_completing_the_name_of_a_command_imports_none_of_them() -> None:
    script = (
        "import os, sys; os.environ.update(_INSPECTOR_COMPLETE='bash_complete', COMP_WORDS='inspector p', "
        "COMP_CWORD='1')\n"
        "import atexit; atexit.register(lambda: print(*sys.modules))\n"
        "from inspector.cli import main; main(prog_name='inspector')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("plain,put\n")
    assert not {"flask", "boto3", "sqlalchemy", "inspector.cli.put"} & set(done.stdout.split())


def test_help_shows_one_command_or_all_of_them() -> None:
    one = CliRunner().invoke(main, ["help", "review", "decide"], prog_name="inspector").stdout
    assert one.startswith("Usage: inspector review decide ")
    whole = CliRunner().invoke(main, ["help", "--all"], prog_name="inspector").stdout
    assert one.strip() in whole
    assert "Usage: inspector config check " in whole


def test_help_for_what_does_not_exist_is_a_wrong_command_line() -> None:
    result = CliRunner().invoke(main, ["help", "review", "nothing"], prog_name="inspector")
    assert result.exit_code == 2
    assert "inspector review --help" in result.stderr
