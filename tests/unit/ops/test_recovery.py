"""What a monitor wants to do, and when it must not."""

from __future__ import annotations

import pytest

from inspector.model import WorkerStatus
from inspector.ops.checkup import Check, Report, Result
from inspector.ops.recovery import Kind, Recovery, wanted_recoveries, withheld_because
from inspector.store.monitors import PastRecovery
from tests.services import settings_for_test

SETTINGS = settings_for_test()
RESTART = Recovery(Kind.RESTART_WORKER, "w1", "why")


def wanted(
    *checks: Check, workers: tuple[WorkerStatus, ...] = (), steady_s: float = 1000.0
) -> list[tuple[Kind, str]]:
    found = wanted_recoveries(Report(checks, 0.1), workers, "here", steady_s, SETTINGS)
    return [(recovery.kind, recovery.subject) for recovery in found]


def check(name: str, result: Result) -> Check:
    return Check(name, result, "figure", "remedy")


def worker(age_s: float, host: str = "here") -> WorkerStatus:
    return WorkerStatus("w1", host, 1, "", age_s, False)


def test_where_all_is_well_nothing_is_done() -> None:
    assert wanted(check("queue", Result.OK), check("leases", Result.OK), workers=(worker(119),)) == []


@pytest.mark.parametrize(
    "name", ["queue", "dead-letter queue", "bucket", "queue policy", "CORS", "notifications"]
)
def test_what_has_vanished_is_bootstrapped(name: str) -> None:
    assert wanted(check(name, Result.BAD)) == [(Kind.BOOTSTRAP, "videos")]


@pytest.mark.parametrize("name", ["S3 and SQS", "database", "tables", "workers", "sweep"])
def test_what_bootstrap_cannot_mend_or_must_not_is_left(name: str) -> None:
    assert wanted(check(name, Result.BAD)) == []


def test_what_is_not_known_is_no_reason_for_anything() -> None:
    assert wanted(check("queue", Result.UNKNOWN), check("leases", Result.UNKNOWN)) == []


@pytest.mark.parametrize("result", [Result.WARNING, Result.BAD])
def test_jobs_of_dead_workers_are_put_back(result: Result) -> None:
    assert wanted(check("leases", result)) == [(Kind.REQUEUE_EXPIRED, "videos")]


def test_only_workers_that_hang_here_are_restarted() -> None:
    assert wanted(workers=(worker(121),)) == [(Kind.RESTART_WORKER, "w1")]
    assert wanted(workers=(worker(121, "elsewhere"),)) == []


def test_after_an_outage_nobody_is_taken_for_hung() -> None:
    assert wanted(workers=(worker(121),), steady_s=59) == []


@pytest.mark.parametrize(
    ("past", "withheld"),
    [
        ([], False),
        ([PastRecovery("restart_worker", "w1", 599)], True),
        ([PastRecovery("restart_worker", "w1", 601)], False),
        ([PastRecovery("restart_worker", "w2", 1)], False),
        ([PastRecovery("bootstrap", "w1", 1)], False),
        ([PastRecovery("restart_worker", f"other{n}", 3000) for n in range(5)], False),
        ([PastRecovery("restart_worker", f"other{n}", 3000) for n in range(6)], True),
    ],
)
def test_nothing_is_repeated_soon_or_often(past: list[PastRecovery], withheld: bool) -> None:
    assert (withheld_because(RESTART, past) is not None) is withheld
