"""What a monitor may do by itself about what it finds: decided here, and done elsewhere. Pure.

Nothing of it can lose anything: leases fence what a killed worker wrote, what is put back is claimed anew,
and bootstrap changes only what is not as it should be. All the same each is limited in rate: what has not
helped twice is for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.model import WorkerStatus
from inspector.ops.checkup import Report, Result
from inspector.ops.examinations import RESOURCES
from inspector.settings import Settings
from inspector.store.monitors import PastRecovery

WINDOW_S: Final = 3600.0
SAME_AGAIN_S: Final = 600.0  # the same thing is not done again before
MOST_OF_A_KIND: Final = 6  # within the window
#: After an outage of the database all heartbeats are old for a while: a worker waits up to 30 s between its
#: attempts. So nobody is taken for hung before a monitor has reached the database for so long.
STEADY_S: Final = 60.0


class Kind(StrEnum):
    RESTART_WORKER = "restart_worker"
    REQUEUE_EXPIRED = "requeue_expired"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Something to be done. subject: to what; for workers their id.  reason: for the log."""

    kind: Kind
    subject: str
    reason: str


def wanted_recoveries(
    report: Report, workers: Sequence[WorkerStatus], host: str, steady_s: float, settings: Settings
) -> Iterator[Recovery]:
    """What would help. workers: all that are known.  steady_s: for how long we have reached the database."""
    missing = report.those(Result.BAD, RESOURCES)
    if missing:
        reason = "; ".join(check.figure for check in missing)
        yield Recovery(Kind.BOOTSTRAP, settings.bucket, reason)
    expired = [*report.those(Result.WARNING, ["leases"]), *report.those(Result.BAD, ["leases"])]
    for check in expired:
        yield Recovery(Kind.REQUEUE_EXPIRED, settings.bucket, check.figure)
    if steady_s >= max(STEADY_S, 2 * settings.heartbeat_s):
        for worker in workers:
            if worker.host == host and worker.heartbeat_age_s > settings.worker_silent_s:
                reason = f"no heartbeat for {worker.heartbeat_age_s:.0f} s"
                yield Recovery(Kind.RESTART_WORKER, worker.worker_id, reason)


def withheld_because(recovery: Recovery, past: Sequence[PastRecovery]) -> str | None:
    """Why it must not be done now; None if it may. past: what was done within the window."""
    of_kind = [each for each in past if each.kind == recovery.kind]
    if any(each.subject == recovery.subject and each.age_s < SAME_AGAIN_S for each in of_kind):
        return f"done less than {SAME_AGAIN_S:g} s ago"
    if len(of_kind) >= MOST_OF_A_KIND:
        return f"done {len(of_kind)} times within the last {WINDOW_S:g} s: a person has to look"
    return None
