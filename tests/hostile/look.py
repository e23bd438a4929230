"""Looks at files as a worker does, and says what came of each; as a program, one line of JSON for each.

`python -m tests.hostile.look auto|bwrap|none FILE…`: as a program it can be watched by strace.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from inspector.errors import MediaRejected
from inspector.settings import Settings, load_settings
from inspector.worker.inspect import examine

AT_ONCE: Final = 2
#: Less than the settings' own, so that what would take for ever is seen sooner.
LIMITS: Final = {"probe_timeout_s": 30, "analysis_timeout_s": 60, "stall_timeout_s": 30}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file.

    end: `done`, `rejected` or `broken`; the last must not be.  reason: of a rejection; else the error.
    told: everything that would be stored, as text.
    """

    name: str
    end: str
    reason: str
    took_s: float
    told: str


def hostile_settings(sandbox: str) -> Settings:
    return load_settings(sandbox=sandbox, **LIMITS)


def look_at(path: Path, settings: Settings) -> Outcome:
    """The product's own way of a file, as far as it needs no database."""
    started = time.monotonic()
    reason = told = ""
    try:
        seen = examine(
            path, settings, recall=lambda _: None, cancelled=lambda: False, on_progress=lambda _: None
        )
        end, told = "done", repr((seen.media, seen.fingerprint.duration_s, seen.fingerprint.truncated))
    except MediaRejected as exc:
        end, reason, told = "rejected", exc.reason, exc.detail
    except Exception as exc:
        end, reason = "broken", f"{type(exc).__name__}: {exc}"
    return Outcome(path.name, end, reason, time.monotonic() - started, told)


def look_at_all(paths: Iterable[Path], settings: Settings) -> Iterator[Outcome]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda path: look_at(path, settings), paths)


def main(sandbox: str, *names: str) -> None:
    for outcome in look_at_all(map(Path, names), hostile_settings(sandbox)):
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
