"""The report that scalers read from the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from inspector.api.glance import Glance
from inspector.api.reporter import Reporter
from inspector.errors import DatabaseUnavailable
from inspector.model import Overview, State, WorkerStatus
from tests.services import wait_until
from tests.unit.api.fakes import BUCKET, FakeSource


class Source(FakeSource):
    """Says how many jobs there are, or that it cannot."""

    away = False

    def overview(self, bucket: str) -> Overview:
        if self.away:
            raise DatabaseUnavailable("away")
        workers = tuple(WorkerStatus(f"w{age}", "host", 1, "", float(age), False) for age in (1, 500))
        return Overview({State.QUEUED: 5, State.PROCESSING: 2, State.DONE: 9}, 61.26, workers, None, None)


def test_it_says_how_many_jobs_wait_or_are_in_work_and_how_many_workers_live() -> None:
    with capture_logs() as logs:
        Reporter(Glance(Source(), BUCKET), 60).run_once()
    assert logs == [
        {
            "event": "jobs_counted",
            "log_level": "info",
            "jobs": 7,
            "queued": 5,
            "oldest_queued_s": 61.3,
            "workers": 1,
        }
    ]


def test_a_database_that_is_away_is_no_count_of_zero() -> None:
    source = Source()
    source.away = True
    with capture_logs() as logs:
        Reporter(Glance(source, BUCKET), 60).run_once()
    assert [entry["event"] for entry in logs] == ["jobs_not_counted"]


def test_it_repeats_until_stopped() -> None:
    reporter = Reporter(Glance(Source(), BUCKET), 0.01)
    with capture_logs() as logs:
        reporter.start()
        wait_until(lambda: len(logs) >= 2)
        reporter.stop()


def test_it_is_silent_unless_it_is_asked_for() -> None:
    reporter = Reporter(Glance(Source(), BUCKET), 0)
    with capture_logs() as logs:
        reporter.start()
        reporter.stop()
    assert logs == []
