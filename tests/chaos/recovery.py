"""How long it takes until work goes on: a killed worker's job elsewhere, and everything after an outage."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from inspector.errors import DatabaseUnavailable
from tests.chaos.house import House

JOBS = "a killed worker's job runs elsewhere"
_GONE_AFTER_S = 3.0  # three heartbeats
_ANYBODY = text(
    "SELECT EXISTS (SELECT FROM workers WHERE heartbeat_at > clock_timestamp() - make_interval(secs => :s))"
)
_ROWS = text(
    "SELECT key, state, coalesce(worker_id, ''), coalesce(lease_token::text, ''), revision FROM videos"
)


@dataclass(slots=True)
class Orphan:
    """A job whose worker was killed. waited_s: while a worker lived that could have taken it."""

    since: float
    waited_s: float = 0.0


@dataclass
class Recovery:
    """Looks at the database again and again.

    took_s: by what was waited for.  waited_s: of killed workers' jobs, while anybody could have taken them;
    it may be that all workers are dead, or that the database is away.
    """

    house: House
    took_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waited_s: list[float] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    _orphans: dict[tuple[str, str], Orphan] = field(default_factory=dict)  # by key and token
    _services: dict[str, tuple[float, int]] = field(default_factory=dict)  # -> when, and the newest revision
    _tokens: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> worker, token
    _newest: int = 0
    _looked_at: float = field(default_factory=time.monotonic)

    def killed(self, pid: int) -> None:
        """A worker has just been killed; whatever it held waits from now on."""
        for key, (worker, token) in self._tokens.items():
            if f"-{pid}-" in worker:
                self._orphans.setdefault((key, token), Orphan(time.monotonic()))

    def back(self, service: str) -> None:
        """A service is there again; work waits for somebody to notice."""
        self._services[service] = time.monotonic(), self._newest

    def look(self) -> None:
        """Notice what goes on again."""
        passed_s, self._looked_at = time.monotonic() - self._looked_at, time.monotonic()
        try:
            with self.house.db.begin() as tx:
                rows = tx.execute(_ROWS).all()
                anybody = bool(tx.scalar(_ANYBODY, {"s": _GONE_AFTER_S}))
        except DatabaseUnavailable:
            return
        now = time.monotonic()
        for waiting in self._orphans.values():
            waiting.waited_s += passed_s * anybody
        self.states = {row[0]: row[1] for row in rows}
        self._tokens = {row[0]: (row[2], row[3]) for row in rows if row[3]}
        for worker in {worker for worker, _ in self._tokens.values()}:
            pid = int(worker.split("-")[-2])
            if not Path(f"/proc/{pid}").exists():  # at a named step, or with its supervisor
                self.killed(pid)
        self._newest = max((row[4] for row in rows), default=0)
        for orphan in [o for o in self._orphans if self._tokens.get(o[0], ("", ""))[1] != o[1]]:
            found = self._orphans.pop(orphan)
            self.took_s[JOBS].append(now - found.since)
            self.waited_s.append(found.waited_s)
        for service in [s for s, (_, newest) in self._services.items() if newest < self._newest]:
            self.took_s[f"work goes on after {service} is back"].append(now - self._services.pop(service)[0])


def quantile(values: list[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
