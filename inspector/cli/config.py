"""`inspector config`: the settings checked, shown with where they come from, and as a file to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from inspector.cli.tables import harmless, make_console, make_table, name_cell
from inspector.configuration import InForce, check_configuration, example_file, settings_in_force
from inspector.errors import InspectorError
from inspector.settings import load_settings
from inspector.sources import DEFAULT, Fault


@click.group()
def config() -> None:
    """The settings: check them, show where each comes from, or begin a file.

    \b
      inspector config example > inspector.toml
      inspector config check
      inspector --config /etc/inspector.toml config show
    """


@config.command()
def check() -> None:
    """Say what is wrong with the settings, where it is written, and what to do.

    Looks at the environment, .env and the configuration file; names that are no settings are wrong too.
    Connects to nothing. Exit code 1 if anything is wrong.
    """
    checked = check_configuration(_named())
    for fault in (*checked.faults, *checked.notes):
        click.echo(_told(fault))
    if checked.faults:
        raise InspectorError(f"wrong settings: {len(checked.faults)}")
    written = ", ".join(f"{count} in {place}" for place, count in checked.written.items())
    click.echo(f"The settings are sound: {written or 'none set'}; all others are as by default.")


@config.command()
@click.option("--all", "everything", is_flag=True, help="Also those that are as by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(everything: bool, as_json: bool) -> None:
    """Show the settings in force, and where each comes from. Secrets are shown as ***."""
    settings = settings_in_force(load_settings(config=_named()))
    shown = [one for one in settings if everything or one.origin.place != DEFAULT]
    if as_json:
        click.echo(json.dumps([_document(one) for one in shown], indent=2, ensure_ascii=False))
        return
    table = make_table("setting", "value", "from")
    for one in shown:
        table.add_row(one.name, name_cell(_text(one.value)), _source(one))
    make_console().print(table)
    if not everything:
        click.echo(f"{len(settings) - len(shown)} others are as by default: see them with --all", err=True)


@config.command()
def example() -> None:
    """Print a configuration file with every setting, its meaning and its default, commented out."""
    click.echo(example_file(), nl=False)


def _named() -> Path | None:
    """What `--config` of the whole command names."""
    named: Path | None = click.get_current_context().find_root().params["config"]
    return named.absolute() if named else None


def _told(fault: Fault) -> str:
    return harmless(str(fault)) + (f"\n  {harmless(fault.remedy)}" if fault.remedy else "")


def _document(one: InForce) -> dict[str, Any]:
    return {"name": one.name, "value": one.value, "from": one.origin.place, "as": one.origin.name}


def _source(one: InForce) -> str:
    return DEFAULT if one.origin.place == DEFAULT else str(one.origin)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
