"""Runs examinations side by side, each with a deadline of its own: what hangs or breaks stops no other.

An examination is a generator of checks. What it has said before its deadline, or before it broke, counts; of
the rest the first row is bad, since it is what was being looked at, and those behind it are unknown. One that
ends early by itself has said what is bad: all that is missing is unknown. So is what leans on something else
that fails, which has a row and a remedy of its own.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from inspector.errors import InspectorError
from inspector.logs import redacted
from inspector.ops.checkup import Check, Report, Result

log = structlog.get_logger(__name__)

DEADLINE_S: Final = 6.0  # a little more than it takes to give up connecting


@dataclass(frozen=True, slots=True)
class Examination:
    """names: the rows it fills, in their order.  run: yields them.  remedy: for the one at which it stops.

    leans_on: by which errors it stops for the sake of something that has a row, and the name of that row.
    """

    names: tuple[str, ...]
    run: Callable[[], Iterator[Check]]
    remedy: str
    deadline_s: float = DEADLINE_S
    leans_on: tuple[tuple[type[InspectorError], str], ...] = ()


def examine(examinations: Sequence[Examination]) -> Report:
    """Run all, and wait for none longer than its deadline; a thread that hangs is left behind.

    Its thread is a daemon: it keeps no process from ending.
    """
    started = time.monotonic()
    running = [_Running(each) for each in examinations]
    checks = [check for each in running for check in each.rows()]
    return Report(tuple(checks), time.monotonic() - started)


class _Running:
    """One examination in a thread of its own. None in the queue: it has ended."""

    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._leans_on = examination.leans_on
        self._said: queue.SimpleQueue[Check | Exception | None] = queue.SimpleQueue()
        self._deadline = time.monotonic() + examination.deadline_s
        name = f"examine {examination.names[0]}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def rows(self) -> list[Check]:
        """A row for each name, whatever became of the examination."""
        found: dict[str, Check] = {}
        problem = cause = ""
        while True:
            try:
                said = self._said.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except queue.Empty:
                problem = f"no answer within {self._examination.deadline_s:g} s"
                break
            if isinstance(said, Exception):
                cause = next((row for kind, row in self._leans_on if isinstance(said, kind)), "")
                problem = "" if cause else _sentence(said)
            if not isinstance(said, Check):
                break
            found[said.name] = said
        return self._complete(found, problem, cause)

    def _complete(self, found: dict[str, Check], problem: str, cause: str) -> list[Check]:
        names = self._examination.names
        missing = [name for name in names if name not in found]
        cause = cause or next(reversed(found), names[0])
        if problem and missing:
            cause = missing.pop(0)
            found[cause] = Check(cause, Result.BAD, problem, self._examination.remedy)
        for name in missing:
            found[name] = Check(name, Result.UNKNOWN, f"cannot be told without: {cause}")
        return [found[name] for name in names]

    def _run(self) -> None:
        try:
            for check in self._examination.run():
                self._said.put(check)
        except Exception as exc:
            if not isinstance(exc, InspectorError):
                log.warning("examination_broke", examination=self._examination.names[0], exc_info=exc)
            self._said.put(exc)
        self._said.put(None)


def _sentence(exc: Exception) -> str:
    text = " ".join(str(exc).split()) or type(exc).__name__
    return redacted(text if isinstance(exc, InspectorError) else f"{type(exc).__name__}: {text}")
