"""What the commands of `inspector review` have in common."""

from __future__ import annotations

import getpass
import json
from typing import Any

import click
from pydantic_core import to_jsonable_python

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API does.")
limit_option = click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
after_option = click.option("--after", metavar="PLACE", help="Go on from the place that the last page named.")
note_option = click.option("--note", help="Why, for whoever reads the history.")
by_option = click.option("--by", "actor", metavar="NAME", help="Who decides.  [default: your user name]")


def print_json(document: Any) -> None:
    """The same documents as those of `/api/v1`."""
    click.echo(json.dumps(to_jsonable_python(document), indent=2, ensure_ascii=False))


def user_name() -> str:
    """Who decides, if nobody says so."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        return "somebody"
