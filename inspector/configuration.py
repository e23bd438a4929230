"""The settings as people meet them: shown without secrets, checked, and as a file to begin with."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from inspector.logs import redacted
from inspector.settings import Settings
from inspector.sources import DEFAULT, Fault, Origin, Places, variables

HIDDEN: Final = "***"  # in the place of a secret that is set
_WIDTH: Final = 100
_OTHERS: Final = 0o077  # permissions of group and others


def settings_document(settings: Settings) -> dict[str, Any]:
    """Every setting. Secrets, hashes of tokens, and credentials within addresses are hidden."""
    return {name: _shown(name, getattr(settings, name)) for name in Settings.model_fields}


def _shown(name: str, value: Any) -> Any:
    if is_secret(name):
        return HIDDEN if value else None
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple):
        return [redacted(str(each)) for each in value]
    return redacted(str(value))


def is_secret(name: str) -> bool:
    """Whether the value of this setting is never shown."""
    return "SecretStr" in str(Settings.model_fields[name].annotation) or name.endswith("_tokens")


@dataclass(frozen=True, slots=True)
class InForce:
    """One setting: its value, hidden where it is secret, and where that comes from."""

    name: str
    value: Any
    origin: Origin


def settings_in_force(settings: Settings) -> list[InForce]:
    """Every setting, in the order of the reference. Raises ConfigError if a place cannot be read."""
    places = Places(Settings, settings.config)
    return [InForce(name, value, places.origin(name)) for name, value in settings_document(settings).items()]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. faults: what keeps the inspector from starting.  notes: what is odd."""

    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    written: dict[str, int]  # how many settings each place holds that count


def check_configuration(named: Path | None) -> Checked:
    """Look at all that is written. Raises ConfigError if a place cannot be read. named: by `--config`."""
    places = Places(Settings, named)
    given: dict[str, Any] = {"config": named} if named else {}
    faults: list[Fault] = []
    settings: Settings | None = None
    try:
        settings = Settings(**given)
    except ValidationError as exc:
        faults = places.faults(exc)
    written: dict[str, int] = {}
    for name in Settings.model_fields:
        place = places.origin(name).place
        if place != DEFAULT:
            written[place] = written.get(place, 0) + 1
    notes = (*_open_secrets(places), *_two_kinds_of_s3(places, settings))
    return Checked((*faults, *places.misspelt()), notes, written)


def _open_secrets(places: Places) -> list[Fault]:
    """The file, if it holds a secret that others on this machine may read."""
    if places.file is None or not places.file.stat().st_mode & _OTHERS:
        return []
    secret = [n for n in Settings.model_fields if is_secret(n) and places.origin(n).place == str(places.file)]
    problem = "holds secrets, and others on this machine may read it"
    remedy = f"Type `chmod 600 {places.file}`."
    return [Fault(f"{', '.join(secret)} ({places.file})", problem, remedy)] if secret else []


def _two_kinds_of_s3(places: Places, settings: Settings | None) -> list[Fault]:
    """AWS itself, where another endpoint is named as well. settings: None if they are not sound."""
    if settings is None or not settings.use_aws or settings.aws_endpoint_url is None:
        return []
    aws, endpoint = (places.origin(name) for name in ("use_aws", "aws_endpoint_url"))
    return [Fault(f"{aws}, {endpoint}", "name two kinds of S3", "The endpoint is used; remove one of both.")]


def example_file() -> str:
    """A configuration file with every setting, its meaning and its default, all of it commented out."""
    head = (
        "# Configuration of the inspector. The environment wins over this file: what is `port` here is\n"
        "# INSPECTOR_PORT there. Remove the # before a line to set it.\n"
    )
    return head + "".join(_example(name) for name in Settings.model_fields if name != "config")


def _example(name: str) -> str:
    field = Settings.model_fields[name]
    others = variables(Settings.model_fields, name)[1:]
    also = f" In the environment also {', '.join(others)}." if others else ""
    comment = textwrap.wrap(f"{field.description}{also}", _WIDTH, break_on_hyphens=False)
    return "\n" + "".join(f"# {line}\n" for line in comment) + f"#{name} = {_as_toml(field.default)}\n"


def _as_toml(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return json.dumps("" if value is None else str(value), ensure_ascii=False)
