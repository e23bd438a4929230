"""Where settings are written (the environment, `.env`, a file of TOML), and what is wrong with them there."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import AliasChoices, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    TomlConfigSettingsSource,
)

from inspector.errors import ConfigError

DEFAULT_FILE: Final = Path("inspector.toml")
PREFIX: Final = "INSPECTOR_"
ENVIRONMENT: Final = "environment"
DEFAULT: Final = "default"


class FileSource(TomlConfigSettingsSource):
    """The configuration file that is `named`; else `inspector.toml` of the present folder, if there is one.

    Raises ConfigError if it cannot be read. Names that are no settings are handed on, and refused there.
    """

    def __init__(self, settings_cls: type[BaseSettings], named: str | Path | None) -> None:
        path = Path(named or DEFAULT_FILE)
        if named and (not path.exists() or path.is_dir()):
            raise ConfigError(f"there is no configuration file {path}: correct INSPECTOR_CONFIG or --config")
        if path.is_dir():
            raise ConfigError(f"{path} is a folder, and no configuration file: move it away")
        try:
            super().__init__(settings_cls, path)
        except OSError as exc:
            raise ConfigError(f"the configuration file {path} cannot be read: {exc.strerror}") from exc
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError(f"the configuration file {path} is no TOML: {exc}") from exc
        if "config" in self.toml_data:
            raise ConfigError(f"{path} names another configuration file: remove `config` there")
        self.path = path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value is written: under which name, and in which place."""

    name: str
    place: str

    def __str__(self) -> str:
        return f"{self.name} ({self.place})"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a setting, and what to do. where: how it is spelled, and in which place."""

    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem


class Places:
    """All places where settings of this class may be written, the strongest first. Raises ConfigError.

    named: the configuration file that somebody asked for; else the other places may name one.
    """

    def __init__(self, settings_cls: type[BaseSettings], named: str | Path | None = None) -> None:
        self._fields = settings_cls.model_fields
        env = dict(EnvSettingsSource(settings_cls).env_vars)
        dotenv = dict(DotEnvSettingsSource(settings_cls).env_vars)
        name_of_file = f"{PREFIX}CONFIG".lower()
        file = FileSource(settings_cls, named or env.get(name_of_file) or dotenv.get(name_of_file))
        self.file = file.path if file.path.is_file() else None
        self._variables: dict[str, Mapping[str, str | None]] = {ENVIRONMENT: env, ".env": dotenv}
        self._written: dict[str, Any] = file.toml_data

    def origin(self, field: str) -> Origin:
        """Where the value of this setting comes from."""
        names = variables(self._fields, field)
        for place, found in self._variables.items():
            for name in names:
                if name.lower() in found:
                    return Origin(name, place)
        for name in (field, *names):
            if name in self._written:
                return Origin(name, str(self.file))
        return Origin(names[0], DEFAULT)

    def misspelt(self) -> Iterator[Fault]:
        """Variables that look like settings, and are none; nobody reads them."""
        known = [name for field in self._fields for name in variables(self._fields, field)]
        lower = {name.lower() for name in known}
        for place, found in self._variables.items():
            for name in found:
                if name.startswith(PREFIX.lower()) and name not in lower:
                    yield _unknown(name.upper(), place, known)

    def faults(self, error: ValidationError) -> list[Fault]:
        """What is wrong, each with the place where it is written. Quotes no value."""
        return [self._fault(each["type"], each["loc"], each["msg"]) for each in error.errors()]

    def _fault(self, kind: str, place: tuple[int | str, ...], message: str) -> Fault:
        problem = message.removeprefix("Value error, ")
        if not place:
            return Fault("", problem)
        field = self._field(str(place[0]))
        if kind == "extra_forbidden" or field is None:
            return _unknown(str(place[0]), str(self.file or "arguments"), self._fields)
        origin = self.origin(field)
        where = field if origin.place == DEFAULT else str(origin)
        meaning = self._fields[field].description
        return Fault(where, problem, f"{meaning} Correct it, or remove it for the default.")

    def _field(self, name: str) -> str | None:
        """The field of this name, or of this variable."""
        if name in self._fields:
            return name
        return next((field for field in self._fields if name in variables(self._fields, field)), None)


def variables(fields: Mapping[str, Any], field: str) -> list[str]:
    """The variables of the environment that may hold this setting, the strongest first."""
    alias = fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [PREFIX + field.upper()]


def _unknown(name: str, place: str, known: Iterable[str]) -> Fault:
    plain = {each.lower().removeprefix(PREFIX.lower()): each for each in known}
    alike = difflib.get_close_matches(name.lower().removeprefix(PREFIX.lower()), plain, n=1, cutoff=0.6)
    hint = f": did you mean {plain[alike[0]]}?" if alike else ""
    remedy = "Correct or remove it; `inspector config example` lists all settings."
    return Fault(f"{name} ({place})", "there is no such setting" + hint, remedy)
