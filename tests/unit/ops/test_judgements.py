"""Where each figure turns from well to a warning, and from that to bad; and what is then to be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inspector.aws.queue import QueueDepths
from inspector.media.features import Features
from inspector.media.sandbox import SandboxStatus
from inspector.model import Overview, State, WorkerStatus
from inspector.ops import judgements
from inspector.ops.checkup import Result
from inspector.settings import SandboxChoice
from inspector.store.vitals import JobVitals, ServerVitals
from tests.services import settings_for_test

OK, WARNING, BAD = Result.OK, Result.WARNING, Result.BAD
SETTINGS = settings_for_test(data_dir=Path("/data"))
SERVER = ServerVitals(150004, 10**9, 10, 100, datetime(2026, 1, 2, tzinfo=UTC))
IDLE = JobVitals(due=0, longest_due_s=0, processing=0, expired=0, longest_expired_s=0)
CALM = Overview(jobs={}, oldest_queued_s=None, workers=(), sweep_age_s=10, sweep_blocked=None)


def worker(age_s: float, *, breaker_open: bool = False, name: str = "w") -> WorkerStatus:
    return WorkerStatus(name, "host", 1, "", age_s, breaker_open)


def with_workers(*ages_s: float) -> Overview:
    return replace(CALM, workers=tuple(worker(age_s) for age_s in ages_s))


@pytest.mark.parametrize(
    ("ages_s", "result"),
    [((), BAD), ((59,), OK), ((61,), WARNING), ((119,), WARNING), ((121,), BAD), ((3, 500), OK)],
)
def test_the_freshest_heartbeat_tells_whether_any_worker_runs(
    ages_s: tuple[float, ...], result: Result
) -> None:
    check = judgements.judge_workers(with_workers(*ages_s), SETTINGS)
    assert check.result is result
    assert ("inspector work" in check.remedy) == (result is not OK)


def test_slow_hearts_are_given_more_time() -> None:
    slow = settings_for_test(heartbeat_s=100, lease_s=400)
    assert judgements.judge_workers(with_workers(150), slow).result is OK
    assert judgements.judge_workers(with_workers(301), slow).result is BAD


@pytest.mark.parametrize(("age_s", "result"), [(119, OK), (130, WARNING), (3700, OK)])
def test_a_worker_lost_within_the_hour_is_told_of(age_s: float, result: Result) -> None:
    assert judgements.judge_lost(with_workers(1, age_s), SETTINGS).result is result


@pytest.mark.parametrize(
    ("jobs", "alive", "result"),
    [
        (IDLE, 0, OK),
        (replace(IDLE, due=3, longest_due_s=1), 0, BAD),
        (replace(IDLE, due=3, longest_due_s=59), 2, OK),
        (replace(IDLE, due=3, longest_due_s=61), 2, BAD),
        (replace(IDLE, due=3, longest_due_s=9000, processing=2), 2, OK),
    ],
)
def test_queued_and_nobody_works_is_bad(jobs: JobVitals, alive: int, result: Result) -> None:
    assert judgements.judge_queued(jobs, alive).result is result


@pytest.mark.parametrize(("age_s", "result"), [(0, OK), (29, OK), (31, WARNING), (301, BAD)])
def test_an_expired_lease_is_taken_over_soon_or_it_is_bad(age_s: float, result: Result) -> None:
    jobs = replace(IDLE, processing=2, expired=1, longest_expired_s=age_s)
    assert judgements.judge_leases(jobs, SETTINGS).result is result


@pytest.mark.parametrize(("count", "result"), [(0, OK), (1, WARNING), (10, WARNING), (11, BAD)])
def test_failed_jobs_and_dead_letters_are_to_be_looked_at(count: int, result: Result) -> None:
    failed = judgements.judge_failed(replace(CALM, jobs={State.FAILED: count}))
    _, letters = judgements.judge_depths(QueueDepths(visible=5, in_flight=2, dead=count))
    assert (failed.result, letters.result) == (result, result)


@pytest.mark.parametrize(
    ("age_s", "result"), [(None, WARNING), (900, OK), (961, WARNING), (3600, WARNING), (3661, BAD)]
)
def test_a_late_sweep(age_s: float | None, result: Result) -> None:
    assert judgements.judge_sweep(replace(CALM, sweep_age_s=age_s), SETTINGS).result is result


def test_a_blocked_sweep_names_the_way_out() -> None:
    check = judgements.judge_sweep(replace(CALM, sweep_blocked="12 of 20 are gone"), SETTINGS)
    assert check.result is BAD
    assert "--confirm-removals" in check.remedy


def test_a_worker_that_cannot_reach_the_queue_is_named() -> None:
    check = judgements.judge_breaker([worker(1), worker(1, breaker_open=True, name="cut-off")])
    assert (check.result, "cut-off" in check.figure) == (BAD, True)
    assert judgements.judge_breaker([worker(1)]).result is OK


@pytest.mark.parametrize(("skew_s", "result"), [(0, OK), (-5.5, WARNING), (299, WARNING), (-301, BAD)])
def test_clocks(skew_s: float, result: Result) -> None:
    check = judgements.judge_clock("clock", skew_s, "the database's")
    assert check.result is result
    assert result is OK or (("behind" if skew_s < 0 else "ahead of") in check.figure)


@pytest.mark.parametrize(("version", "result"), [(180004, OK), (150000, OK), (140012, BAD)])
def test_the_version_of_postgresql(version: int, result: Result) -> None:
    assert judgements.judge_server(replace(SERVER, version=version), 0.01).result is result


@pytest.mark.parametrize(("used", "result"), [(80, OK), (81, WARNING), (96, BAD)])
def test_connections(used: int, result: Result) -> None:
    assert judgements.judge_connections(replace(SERVER, connections=used)).result is result


@pytest.mark.parametrize(
    ("free_bytes", "result"), [(None, OK), (5 * 2**30, OK), (3 * 2**30, WARNING), (2**29, BAD)]
)
def test_the_disk_of_the_database(free_bytes: int | None, result: Result) -> None:
    assert judgements.judge_database_disk(10**9, free_bytes).result is result


@pytest.mark.parametrize(("reserves", "result"), [(4, OK), (3.9, WARNING), (0.9, BAD)])
def test_scratch_space_is_measured_by_the_reserve(reserves: float, result: Result) -> None:
    free_bytes = int(reserves * SETTINGS.scratch_reserve_bytes)
    assert judgements.judge_scratch(free_bytes, 10**12, SETTINGS).result is result


@pytest.mark.parametrize(
    ("missing", "result"),
    [({}, OK), ({"codecs": ("hevc",)}, WARNING), ({"formats": ("mxf",)}, WARNING), ({"vital": ("x",)}, BAD)],
)
def test_what_ffmpeg_lacks(missing: dict[str, Any], result: Result) -> None:
    found = Features("5.1", **{"vital": (), "codecs": (), "formats": (), **missing})
    check = judgements.judge_features(found)
    assert check.result is result
    assert all(name in check.figure for names in missing.values() for name in names)


@pytest.mark.parametrize(("kind", "result"), [(SandboxChoice.BWRAP, OK), (SandboxChoice.NONE, WARNING)])
def test_without_a_sandbox_there_is_a_warning(kind: SandboxChoice, result: Result) -> None:
    assert judgements.judge_sandbox(SandboxStatus(kind, "why", False)).result is result


@pytest.mark.parametrize(("status", "result"), [("ready", OK), ("degraded", WARNING), ("unready", BAD)])
def test_readiness_is_taken_at_its_word(status: str, result: Result) -> None:
    assert judgements.judge_readiness(status, ["feeder"]).result is result


@pytest.mark.parametrize(("shown", "result"), [(8, OK), (7, OK), (6, BAD)])
def test_the_board_must_not_lag(shown: int, result: Result) -> None:
    assert judgements.judge_board("a.mp4", shown, 7).result is result


def test_sizes_are_readable() -> None:
    assert [judgements.size(n) for n in (12, 4_200, 7 * 10**9, 2.5 * 10**12)] == [
        "12 B",
        "4 KB",
        "7 GB",
        "2.5 TB",
    ]
