"""From what was found to what it means: pure functions, each of which makes one row of a check-up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from inspector.aws.queue import QueueDepths
from inspector.media.features import Features
from inspector.media.sandbox import SandboxStatus
from inspector.model import Overview, State, WorkerStatus
from inspector.ops.checkup import Check, Result, graded, verdict
from inspector.settings import SandboxChoice, Settings
from inspector.store.vitals import JobVitals, ServerVitals

LEAST_POSTGRES: Final = 15
FRESH_S: Final = 60.0  # of a heartbeat: two beats at the usual pace
CONNECTIONS_SHARE: Final = 0.8  # of those that the server takes
DISK_WARNING_BYTES: Final = 4 * 2**30
DISK_BAD_BYTES: Final = 2**30
SCRATCH_RESERVES: Final = 4  # so many times the reserve should be free
CLOCK_WARNING_S: Final = 5.0
CLOCK_BAD_S: Final = 300.0  # S3 refuses signatures that are off by 15 min
DUE_WARNING_S: Final = 60.0  # workers that are free take a job within seconds
EXPIRED_WARNING_S: Final = 30.0
MOST_LETTERS: Final = 10
SWEEPS_WARNING: Final = 3  # intervals without a sweep that ended
SWEEPS_BAD: Final = 12
MONITOR_SILENT_S: Final = 600.0
RECENTLY_LOST_S: Final = 3600.0


# ---------------------------------------------------------------- this machine


def judge_features(found: Features) -> Check:
    figure = f"ffmpeg {found.version}"
    remedy = "install a full build of ffmpeg: Debian's and Ubuntu's package `ffmpeg` is one"
    if found.vital:
        return Check("ffmpeg features", Result.BAD, f"{figure} lacks {', '.join(found.vital)}", remedy)
    lacking = [*found.codecs, *found.formats]
    if lacking:
        figure += f" cannot read {', '.join(lacking)}"
        return Check("ffmpeg features", Result.WARNING, figure, f"{remedy}; such videos are rejected")
    return Check("ffmpeg features", Result.OK, f"{figure}, with all filters and codecs that are needed")


def judge_sandbox(found: SandboxStatus) -> Check:
    limited = "processes are limited" if found.processes_limited else "the number of processes is not limited"
    figure = f"{found.kind}: {found.why}; {limited}"
    remedy = "install bubblewrap where user namespaces are permitted; see docs/security.md, hostile media"
    return verdict("sandbox", found.kind is SandboxChoice.BWRAP, figure, remedy, Result.WARNING)


def judge_scratch(free_bytes: int, total_bytes: int, settings: Settings) -> Check:
    """Free space where downloads go; without the reserve, no job is begun."""
    figure = f"{size(free_bytes)} of {size(total_bytes)} free in {settings.scratch}"
    reserve = settings.scratch_reserve_bytes
    remedy = f"free some space, or point INSPECTOR_SCRATCH_DIR elsewhere: {size(reserve)} must stay free"
    return _least("scratch space", free_bytes, figure, SCRATCH_RESERVES * reserve, reserve, remedy)


def judge_database_disk(size_bytes: int, free_bytes: int | None) -> Check:
    """free_bytes: None where the server's disk cannot be seen from here."""
    if free_bytes is None:
        return Check(
            "database disk", Result.OK, f"{size(size_bytes)} used; its disk is not visible from here"
        )
    figure = f"{size(size_bytes)} used, {size(free_bytes)} free"
    remedy = "give the data folder more room: PostgreSQL stops when its disk is full"
    return _least("database disk", free_bytes, figure, DISK_WARNING_BYTES, DISK_BAD_BYTES, remedy)


def judge_clock(name: str, skew_s: float, whose: str) -> Check:
    """skew_s: how far our clock is ahead of another one; `whose` names that."""
    figure = f"agrees with {whose}"
    if abs(skew_s) > 1:
        figure = f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} {whose}"
    remedy = "let NTP set this machine's clock: signatures for S3 are refused when it is off by 15 minutes"
    return graded(name, abs(skew_s), figure, warning=CLOCK_WARNING_S, bad=CLOCK_BAD_S, remedy=remedy)


# ---------------------------------------------------------------- the database


def judge_server(found: ServerVitals, took_s: float) -> Check:
    major = found.version // 10000
    figure = f"PostgreSQL {major} answers in {took_s * 1000:.0f} ms"
    return verdict("database", major >= LEAST_POSTGRES, figure, f"use PostgreSQL {LEAST_POSTGRES} or newer")


def judge_connections(found: ServerVitals) -> Check:
    figure = f"{found.connections} of {found.most_connections} in use"
    remedy = "raise max_connections of PostgreSQL, or run fewer workers and INSPECTOR_WEB_THREADS"
    share = found.connections / max(1, found.most_connections)
    return graded("connections", share, figure, warning=CONNECTIONS_SHARE, bad=0.95, remedy=remedy)


# ---------------------------------------------------------------- the work


def judge_workers(overview: Overview, settings: Settings) -> Check:
    """Is any worker running? The freshest heartbeat tells."""
    remedy = (
        "start workers: `inspector work`, or `inspector up` on one machine; their log says why they ended. "
        "Those that hang are restarted by `inspector monitor`"
    )
    if not overview.workers:
        return Check("workers", Result.BAD, "none has ever reported within a day", remedy)
    freshest_s = min(worker.heartbeat_age_s for worker in overview.workers)
    alive = alive_workers(overview, settings)
    known = "worker" if len(alive) == 1 else "workers"
    figure = f"{len(alive)} {known} alive, last heartbeat {freshest_s:.0f} s ago"
    fresh_s = max(FRESH_S, 2 * settings.heartbeat_s)
    bad_s = settings.worker_silent_s
    return graded("workers", freshest_s, figure, warning=fresh_s, bad=bad_s, remedy=remedy)


def judge_lost(overview: Overview, settings: Settings) -> Check:
    """Workers of the last hour that ended without taking their leave."""
    lost = [
        worker
        for worker in overview.workers
        if settings.worker_silent_s < worker.heartbeat_age_s < RECENTLY_LOST_S
    ]
    figure = f"{len(lost)} lost within the last hour" + (f": {_names(lost)}" if lost else "")
    remedy = "read the log of that worker; its supervisor starts another one, and its job is taken over"
    return verdict("lost workers", not lost, figure, remedy, Result.WARNING)


def judge_queued(jobs: JobVitals, alive: int) -> Check:
    """Queued, and nobody works: the one thing that must never pass unseen."""
    figure = f"{jobs.due} waiting, {jobs.processing} in work"
    if jobs.due:
        figure += f"; one has waited for {jobs.longest_due_s:.0f} s"
    if jobs.due and not alive:
        return Check(
            "queued jobs", Result.BAD, f"{figure}; no worker is alive", "start workers: `inspector work`"
        )
    idle = bool(jobs.due) and not jobs.processing and jobs.longest_due_s > DUE_WARNING_S
    remedy = "workers live, but take nothing: read their log, and restart them"
    if idle:
        return Check("queued jobs", Result.BAD, f"{figure}; workers live, but none takes it", remedy)
    return Check("queued jobs", Result.OK, figure)


def judge_leases(jobs: JobVitals, settings: Settings) -> Check:
    """Jobs whose worker has given no sign; the next claim takes them."""
    figure = f"{jobs.expired} of {jobs.processing} expired"
    if jobs.expired:
        figure += f", one {jobs.longest_expired_s:.0f} s ago"
    remedy = "a living worker takes them over by itself: start one, or run `inspector monitor --once`"
    age_s = jobs.longest_expired_s if jobs.expired else 0.0
    return graded("leases", age_s, figure, warning=EXPIRED_WARNING_S, bad=settings.lease_s, remedy=remedy)


def judge_failed(overview: Overview) -> Check:
    failed = overview.jobs.get(State.FAILED, 0)
    remedy = "see why on the page /system; once the cause is gone, redrive them there"
    return graded("failed jobs", failed, f"{failed} failed", warning=0, bad=MOST_LETTERS, remedy=remedy)


def judge_sweep(overview: Overview, settings: Settings) -> Check:
    """The sweep finds what no event told; late or blocked, lost events stay lost."""
    if overview.sweep_blocked is not None:
        remedy = "if the objects are really gone: `inspector sweep --confirm-removals`; else bring them back"
        return Check("sweep", Result.BAD, f"blocked: {overview.sweep_blocked}", remedy)
    remedy = "workers sweep by themselves: look for `sweep` in their log, or run `inspector sweep`"
    if overview.sweep_age_s is None:
        return Check("sweep", Result.WARNING, "none has ended yet", remedy)
    interval_s = settings.sweep_interval_s
    figure = f"last one ended {overview.sweep_age_s:.0f} s ago; one is due every {interval_s:g} s"
    limits = {"warning": SWEEPS_WARNING * interval_s + FRESH_S, "bad": SWEEPS_BAD * interval_s + FRESH_S}
    return graded("sweep", overview.sweep_age_s, figure, **limits, remedy=remedy)


def judge_breaker(alive: Sequence[WorkerStatus]) -> Check:
    cut_off = [worker for worker in alive if worker.breaker_open]
    figure = f"open in {_names(cut_off)}" if cut_off else f"closed in all of {len(alive)} workers"
    remedy = (
        "let these workers reach SQS (endpoint, credentials, network): the rows of S3 and SQS say more; they "
        "go on within a minute"
    )
    return verdict("queue breaker", not cut_off, figure, remedy)


def judge_monitor(overview: Overview) -> Check:
    """Nobody needs to run a monitor; one that was run and fell silent is missed."""
    age_s = overview.monitor_age_s
    if age_s is None:
        return Check("monitor", Result.OK, "none has run within a day")
    remedy = "start `inspector monitor` again, or look at its cron job; its log says why it ended"
    figure = f"last looked {age_s:.0f} s ago"
    return graded("monitor", age_s, figure, warning=MONITOR_SILENT_S, bad=float("inf"), remedy=remedy)


def judge_depths(depths: QueueDepths) -> tuple[Check, Check]:
    waiting = Check("messages", Result.OK, f"{depths.visible} waiting, {depths.in_flight} in flight")
    figure = f"{depths.dead} in the dead-letter queue"
    remedy = "read their `reason`; once the cause is gone, move them back to the queue: that inspects again"
    letters = graded("dead letters", depths.dead, figure, warning=0, bad=MOST_LETTERS, remedy=remedy)
    return waiting, letters


def judge_children(looping: Collection[str]) -> Check:
    figure = f"die again and again: {', '.join(looping)}" if looping else "no crash loop"
    return verdict("children", not looping, figure, "read the log of `inspector up`: it names the reason")


# ---------------------------------------------------------------- the web


def judge_readiness(status: str, failed: Collection[str]) -> Check:
    """What `/readyz` says of itself; the other rows say why."""
    figure = status + (f": {', '.join(failed)}" if failed else "")
    result = {"ready": Result.OK, "degraded": Result.WARNING}.get(status, Result.BAD)
    remedy = "" if result is Result.OK else "the rows of these parts say what to do; /readyz tells details"
    return Check("readiness", result, figure, remedy)


def judge_board(key: str, shown: int, newest: int) -> Check:
    """shown, newest: the revision that the web answers with, and the one that PostgreSQL has."""
    figure = f"shows revision {shown} of the video that changed last ({key})"
    if shown < newest:
        figure += f", PostgreSQL has {newest}"
    return verdict("status board", shown >= newest, figure, "restart the web server; its log says why")


# ---------------------------------------------------------------- words


def alive_workers(overview: Overview, settings: Settings) -> list[WorkerStatus]:
    """The workers whose hearts beat."""
    return [worker for worker in overview.workers if worker.heartbeat_age_s <= settings.worker_silent_s]


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _least(name: str, free: int, figure: str, warning: float, bad: float, remedy: str) -> Check:
    """A figure that is worse the smaller it is."""
    return graded(name, -free, figure, warning=-warning, bad=-bad, remedy=remedy)


def _names(workers: Sequence[WorkerStatus]) -> str:
    shown = ", ".join(worker.worker_id for worker in workers[:3])
    return shown if len(workers) <= 3 else f"{shown} and {len(workers) - 3} more"
