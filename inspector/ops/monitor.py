"""The monitor: a check-up repeated, its changes logged, and what may be healed by itself healed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from inspector.errors import DatabaseUnavailable, InspectorError
from inspector.ops.checkup import Check, Report, Result
from inspector.ops.processes import is_worker
from inspector.ops.recovery import WINDOW_S, Kind, Recovery, wanted_recoveries, withheld_because
from inspector.settings import Settings
from inspector.store import Database, monitors
from inspector.store.locks import only_one
from inspector.store.status import StatusReader

log = structlog.get_logger(__name__)

#: As log levels: what is bad wakes a person.
_LEVELS: Final[Mapping[Result, str]] = {Result.WARNING: "warning", Result.BAD: "error"}


class Monitor:
    """Looks, tells, heals. Several may run: of one bucket one at a time heals."""

    def __init__(
        self,
        check_up: Callable[[], Report],
        db: Database,
        host: str,
        actions: Mapping[Kind, Callable[[Recovery], str]],
        settings: Settings,
        *,
        every_s: float,
    ) -> None:
        """actions: what may be done, and how; each says in words what came of it."""
        self._check_up = check_up
        self._db = db
        self._host = host
        self._actions = actions
        self._settings = settings
        self._every_s = every_s
        self._known: dict[str, Result] = {}

    def run_once(self) -> Report:
        """One round. Whatever is wrong, it ends with a report."""
        report = self._check_up()
        self._tell(report)
        try:
            self._heal(report)
        except DatabaseUnavailable as exc:
            log.warning("monitor_cannot_heal", reason=str(exc))
        return report

    def _tell(self, report: Report) -> None:
        for check in report.checks:
            before = self._known.get(check.name, Result.OK)
            if check.result is not before:
                _tell_change(check, before)
            self._known[check.name] = check.result
        log.info(
            "monitor_round",
            result=report.result,
            took_s=round(report.took_s, 1),
            **{result.value: report.count(result) for result in Result},
        )

    def _heal(self, report: Report) -> None:
        bucket = self._settings.bucket
        with self._db.begin() as tx:
            steady_s = monitors.record_round(
                tx, bucket, self._host, every_s=self._every_s, result=report.result
            )
        overview = StatusReader(self._db, min_score=self._settings.min_score).overview(bucket)
        # What has died hangs no more; its supervisor has seen to it.
        running = [worker for worker in overview.workers if is_worker(worker.pid)]
        wanted = wanted_recoveries(report, running, self._host, steady_s, self._settings)
        with only_one(self._db, f"monitor:{bucket}") as mine:
            for recovery in wanted if mine else ():
                self._consider(recovery)

    def _consider(self, recovery: Recovery) -> None:
        """Do it, if it may be done and was not done too often."""
        action = self._actions.get(recovery.kind)
        if action is None:
            return
        bucket, fields = self._settings.bucket, {"kind": recovery.kind, "subject": recovery.subject}
        with self._db.begin() as tx:
            past = monitors.past_recoveries(tx, bucket, within_s=WINDOW_S)
            withheld = withheld_because(recovery, past)
            if withheld is None:
                monitors.record_recovery(tx, bucket, self._host, reason=recovery.reason, **fields)
        if withheld is not None:
            log.warning("recovery_withheld", **fields, reason=recovery.reason, because=withheld)
            return
        try:
            outcome = action(recovery)
        except InspectorError as exc:
            log.warning("recovery_failed", **fields, reason=recovery.reason, error=str(exc))
        else:
            log.warning("recovery_taken", **fields, reason=recovery.reason, outcome=outcome)


def _tell_change(check: Check, before: Result) -> None:
    fields = {"check": check.name, "result": check.result, "was": before, "figure": check.figure}
    remedy = {"remedy": check.remedy} if check.remedy else {}
    getattr(log, _LEVELS.get(check.result, "info"))("check_changed", **fields, **remedy)
