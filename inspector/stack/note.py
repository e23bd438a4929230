"""The note of a running stack: where `inspector up` is reached, for the other commands in the same folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from inspector.settings import Settings, load_settings

NOTHING: Final[Mapping[str, int]] = {}
_NAME: Final = "running.json"  # in the data folder


def announce_stack(
    settings: Settings, crash_looping: Sequence[str] = (), restarts: Mapping[str, int] = NOTHING
) -> Path:
    """Note where the running stack is reached, which of its children die again and again, and how often each
    was started again.
    """
    note = settings.data_dir / _NAME
    fresh = note.with_suffix(".new")
    fresh.touch(mode=0o600)
    said = {
        "pid": os.getpid(),
        "environment": settings.as_environment(),
        "crash_looping": [*crash_looping],
        "restarts": {**restarts},
    }
    fresh.write_text(json.dumps(said))
    fresh.replace(note)
    return note


def crash_looping(settings: Settings) -> list[str]:
    """The children of the running stack that die again and again; none if no stack says so."""
    try:
        return [str(name) for name in _read(settings)["crash_looping"]]
    except (OSError, ValueError, KeyError):
        return []


def restarts(settings: Settings) -> dict[str, int]:
    """How often each child of the running stack was started again; empty if no stack says so."""
    try:
        said = json.loads((settings.data_dir / _NAME).read_text())["restarts"]
        return {str(name): int(count) for name, count in said.items()}
    except (OSError, ValueError, KeyError):
        return {}


def join_stack(settings: Settings) -> Settings:
    """The settings, completed by those of the stack that `inspector up` runs in the same data folder."""
    try:
        environment = _read(settings)["environment"]
        running = {name.removeprefix("INSPECTOR_").lower(): value for name, value in environment.items()}
    except (OSError, ValueError, KeyError):
        return settings
    return load_settings(
        **{**running, **{name: getattr(settings, name) for name in settings.model_fields_set}}
    )


def _read(settings: Settings) -> dict[str, Any]:
    """The note. Raises OSError, ValueError or KeyError if there is none, or its stack was killed."""
    note: dict[str, Any] = json.loads((settings.data_dir / _NAME).read_text())
    os.kill(int(note["pid"]), 0)
    return note
