"""What a check-up finds, in words: one row for each thing that was looked at, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """OK, WARNING: look at it soon; BAD: something is not done; UNKNOWN: it could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. figure: what was found; remedy: what to do, empty if all is well."""

    name: str
    result: Result
    figure: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of one check-up, in the order in which people read them."""

    checks: tuple[Check, ...]
    took_s: float

    @property
    def result(self) -> Result:
        """The worst of all; what could not be looked at is a warning, since its cause has a row too."""
        found = {check.result for check in self.checks}
        if Result.BAD in found:
            return Result.BAD
        return Result.WARNING if found - {Result.OK} else Result.OK

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 there are warnings, 2 something is bad."""
        return {Result.OK: 0, Result.WARNING: 1, Result.BAD: 2}[self.result]

    def count(self, result: Result) -> int:
        """How many rows have this result."""
        return sum(check.result is result for check in self.checks)

    def those(self, result: Result, names: Iterable[str]) -> list[Check]:
        """The rows of these names that have this result."""
        wanted = set(names)
        return [check for check in self.checks if check.result is result and check.name in wanted]


def graded(name: str, value: float, figure: str, *, warning: float, bad: float, remedy: str) -> Check:
    """A figure that is worse the larger it is: a warning above `warning`, bad above `bad`."""
    if value <= warning:
        return Check(name, Result.OK, figure)
    return Check(name, Result.BAD if value > bad else Result.WARNING, figure, remedy)


def verdict(name: str, ok: bool, figure: str, remedy: str, otherwise: Result = Result.BAD) -> Check:
    """A thing that is well, or not."""
    return Check(name, Result.OK, figure) if ok else Check(name, otherwise, figure, remedy)
