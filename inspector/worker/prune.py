"""Retention: what is kept longer than the settings say goes, without anybody having to think of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from inspector.settings import Settings
from inspector.store import Database, retention
from inspector.store.locks import only_one
from inspector.store.retention import Kind, Rules, Surplus

log = structlog.get_logger(__name__)

PAUSE_S: Final = 3600.0
_AT_ONCE: Final = 100  # of each kind in one transaction, so that nobody waits long for a lock


class Pruning:
    """Forgets what is kept too long. Any worker may call it; one at a time gets to work."""

    def __init__(self, db: Database, bucket: str, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self.rules = rules_of(settings)

    def run_once(self) -> float:
        """Forget a piece. Returns the seconds until the next one. Raises DatabaseUnavailable."""
        with only_one(self._db, f"prune:{self._bucket}") as mine:
            more = mine and bool(sum(self._forget_some(self.rules).values()))
        return 0.0 if more else PAUSE_S

    def survey(self, rules: Rules) -> list[Surplus]:
        """What there is to be forgotten."""
        with self._db.begin() as tx:
            return retention.survey(tx, self._bucket, rules)

    def run_whole(self, rules: Rules) -> dict[Kind, int]:
        """Forget all of it now. Returns how many of each kind."""
        total: dict[Kind, int] = {}
        while sum((done := self._forget_some(rules)).values()):
            total = {kind: total.get(kind, 0) + count for kind, count in done.items()}
        return total

    def _forget_some(self, rules: Rules) -> dict[Kind, int]:
        with self._db.begin() as tx:
            done = retention.prune(tx, self._bucket, rules, limit=_AT_ONCE)
        if any(done.values()):
            log.info("pruned", **{kind.name.lower(): count for kind, count in done.items()})
        return done


def rules_of(settings: Settings) -> Rules:
    """How long the settings keep things."""
    return Rules(
        removed=_days(settings.keep_removed_days),
        scans=_days(settings.keep_scans_days),
        deliveries=_days(settings.keep_deliveries_days),
    )


def changed(
    rules: Rules, *, removed: float | None = None, scans: float | None = None, deliveries: float | None = None
) -> Rules:
    """The rules with other numbers of days, where some are given; here 0 is none at all."""
    given = {"removed": removed, "scans": scans, "deliveries": deliveries}
    return replace(rules, **{name: timedelta(days=n) for name, n in given.items() if n is not None})


def _days(days: float) -> timedelta | None:
    return timedelta(days=days) if days else None
