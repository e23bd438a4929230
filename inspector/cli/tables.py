"""Tables and names as a person may see them: whole in pipes, harmless on a terminal."""

from __future__ import annotations

from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

_NO_WIDTH: Final = 2**16  # columns of a pipe or a file: a row is a line there, however long


def make_console(output: TextIO | None = None) -> Console:
    """Where tables are printed: standard output, or `output`."""
    console = Console(file=output)
    return console if console.is_terminal else Console(file=output, width=_NO_WIDTH)


def make_table(*columns: str) -> Table:
    return Table(*columns, box=None, header_style="bold")


def name_cell(name: str) -> Text:
    """A key or a file name in a table."""
    return Text(harmless(name))


def harmless(text: str) -> str:
    """The text with everything spelled out that is no printable character.

    Keys and file names come from strangers: escape sequences would speak to the terminal, line breaks would
    make rows of their own, and bytes that are no UTF-8 could not be written at all.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
