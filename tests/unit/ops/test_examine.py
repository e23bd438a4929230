"""Examinations run side by side: one that hangs, breaks or ends early says so, and stops no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from inspector.errors import DatabaseUnavailable
from inspector.ops.checkup import Check, Report, Result
from inspector.ops.examine import Examination, examine


def well(*names: str) -> Iterator[Check]:
    for name in names:
        yield Check(name, Result.OK, "as it should be")


def examination(names: str, run: Callable[[], Iterator[Check]], deadline_s: float = 5.0) -> Examination:
    return Examination(tuple(names.split()), run, "mend it", deadline_s)


def results(report: Report) -> dict[str, Result]:
    return {check.name: check.result for check in report.checks}


def test_rows_come_in_the_order_of_the_examinations() -> None:
    report = examine([examination("a b", lambda: well("a", "b")), examination("c", lambda: well("c"))])
    assert [check.name for check in report.checks] == ["a", "b", "c"]
    assert (report.result, report.exit_code) == (Result.OK, 0)


def test_one_that_hangs_keeps_nobody_waiting_beyond_its_deadline() -> None:
    released = threading.Event()

    def hangs() -> Iterator[Check]:
        yield from well("a")
        released.wait(30)

    started = time.monotonic()
    report = examine([examination("a b c", hangs, 0.2), examination("d", lambda: well("d"))])
    released.set()
    assert time.monotonic() - started < 5
    assert results(report) == {"a": Result.OK, "b": Result.BAD, "c": Result.UNKNOWN, "d": Result.OK}
    assert report.checks[1].figure == "no answer within 0.2 s"
    assert report.checks[1].remedy == "mend it"
    assert report.checks[2].figure == "cannot be told without: b"
    assert report.exit_code == 2


def test_one_that_raises_says_why_and_hides_credentials() -> None:
    def breaks() -> Iterator[Check]:
        yield from well()
        raise DatabaseUnavailable("no way to postgresql://me:secret@host/x")

    report = examine([examination("a b", breaks), examination("c", lambda: well("c"))])
    assert results(report) == {"a": Result.BAD, "b": Result.UNKNOWN, "c": Result.OK}
    assert report.checks[0].figure == "no way to postgresql://me:***@host/x"


def test_what_leans_on_another_row_is_unknown_where_that_is_bad() -> None:
    def breaks() -> Iterator[Check]:
        yield from well("a")
        raise DatabaseUnavailable("no answer")

    leaning = Examination(("a", "b", "c"), breaks, "start it", leans_on=((DatabaseUnavailable, "database"),))
    report = examine([leaning])
    assert results(report) == {"a": Result.OK, "b": Result.UNKNOWN, "c": Result.UNKNOWN}
    assert report.checks[1].figure == "cannot be told without: database"
    assert report.checks[1].remedy == "", "the remedy stands in that row"


def test_a_bug_of_ours_is_a_bad_row_too() -> None:
    def breaks() -> Iterator[Check]:
        yield from well("a")
        raise KeyError("oops")

    report = examine([examination("a b", breaks)])
    assert (report.checks[1].result, report.checks[1].figure) == (Result.BAD, "KeyError: 'oops'")


def test_what_an_early_end_leaves_out_is_unknown() -> None:
    def ends() -> Iterator[Check]:
        yield Check("a", Result.BAD, "not there", "make it")

    report = examine([examination("a b", ends)])
    assert results(report) == {"a": Result.BAD, "b": Result.UNKNOWN}


def test_the_worst_row_decides() -> None:
    def report(*found: Result) -> Report:
        return Report(tuple(Check(str(n), result, "") for n, result in enumerate(found)), 0.1)

    assert report(Result.OK, Result.OK).exit_code == 0
    assert report(Result.OK, Result.WARNING).exit_code == 1
    assert report(Result.OK, Result.UNKNOWN).exit_code == 1
    assert report(Result.WARNING, Result.BAD, Result.UNKNOWN).exit_code == 2
