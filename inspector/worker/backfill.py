"""A backfill: what has long been in the bucket is looked at, at a pace of its own, behind what comes now.

It goes through the same ingest as everything else. How far it is stands in the database after each page, so
it may be stopped, or die, at any time; what it looks at twice changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from inspector.aws.bucket import Bucket
from inspector.errors import BackfillBusy, Interrupted, ObjectForbidden
from inspector.model import EventKind, ObjectEvent, State
from inspector.settings import RESERVED_PREFIX, Settings
from inspector.store import Database, backfills, videos, workers
from inspector.store.backfills import BackfillState
from inspector.store.locks import only_one
from inspector.store.videos import KnownVideo
from inspector.worker.ingest import Ingest, Outcome, same_object
from inspector.worker.sources import Item, Page, Source

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 10  # keys whose locks one transaction holds, as many as a receive brings


class Stop(Protocol):
    def wait(self, timeout_s: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What a backfill would do. size_bytes: of what it would queue, where that is known.

    ignored: keys that the settings leave out.  own: those of its thumbnails and the like.
    """

    total: int = 0
    known: int = 0
    ignored: int = 0
    own: int = 0
    to_queue: int = 0
    size_bytes: int = 0


class Backfill:
    """Looks at what a source names, in one bucket."""

    def __init__(self, db: Database, bucket: Bucket, ingest: Ingest, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self._ingest = ingest
        self._settings = settings

    def survey(self, source: Source) -> Survey:
        """Count what would be done, and do nothing."""
        found = Survey()
        for page in source.pages(""):
            wanted = self._wanted(page)
            unknown = self._unknown(wanted)
            own = sum(item.key.startswith(RESERVED_PREFIX) for item in page.items)
            found = Survey(
                total=found.total + len(page.items),
                known=found.known + len(wanted) - len(unknown),
                ignored=found.ignored + len(page.items) - len(wanted) - own,
                own=found.own + own,
                to_queue=found.to_queue + len(unknown),
                size_bytes=found.size_bytes + sum(item.size_bytes or 0 for item in unknown),
            )
        return found

    def run(
        self,
        source: Source,
        *,
        rate: float,
        stop: Stop,
        on_state: Callable[[BackfillState], None],
        restart: bool = False,
    ) -> BackfillState:
        """Queue what is not inspected, from where the last run has come to.

        rate: keys a second, at most, that S3 is asked about.  restart: begin at the start.
        Raises BackfillBusy, Interrupted, Unavailable.
        """
        with only_one(self._db, f"backfill:{self._bucket.name}:{source.name}") as mine:
            if not mine:
                raise BackfillBusy("another process is at this backfill")
            state = self._begin(source, restart)
            on_state(state)
            pace = _Pace(rate, stop)
            for page in source.pages(state.position):
                state = self._take(page, state, pace)
                self._save(source, state)
                on_state(state)
            self._save(source, state, finished=True)
        return state

    def waiting(self) -> int:
        """How many videos that were found so wait for their inspection."""
        with self._db.begin() as tx:
            return backfills.count_waiting(tx, self._bucket.name)

    def anybody_works(self) -> bool:
        """Whether there is a worker to inspect what is queued."""
        with self._db.begin() as tx:
            return workers.any_alive(tx, silent_s=self._settings.lease_s)

    def _begin(self, source: Source, restart: bool) -> BackfillState:
        """Where to go on. What there is in all is counted once, at the start."""
        with self._db.begin() as tx:
            if restart:
                backfills.forget(tx, self._bucket.name, source.name)
            state = backfills.load(tx, self._bucket.name, source.name)
        if state.total is None:
            state = BackfillState(total=sum(len(page.items) for page in source.pages("")))
            self._save(source, state)
        return state

    def _take(self, page: Page, state: BackfillState, pace: _Pace) -> BackfillState:
        queued = forbidden = 0
        unknown = self._unknown(self._wanted(page))
        for start in range(0, len(unknown), _AT_ONCE):
            items = unknown[start : start + _AT_ONCE]
            pace.wait(len(items))
            outcomes = self._look_at(items)
            queued += outcomes.count(Outcome.QUEUED)
            forbidden += outcomes.count(None)
        return replace(
            state,
            position=page.position,
            looked_at=state.looked_at + len(page.items),
            queued=state.queued + queued,
            forbidden=state.forbidden + forbidden,
        )

    def _wanted(self, page: Page) -> list[Item]:
        return [item for item in page.items if self._settings.accepts_key(item.key)]

    def _unknown(self, items: Sequence[Item]) -> list[Item]:
        """Those that are not known, or not as they are now."""
        with self._db.begin() as tx:
            known = videos.find_keys(tx, self._bucket.name, [item.key for item in items])
        return [item for item in items if not _as_known(item, known.get(item.key))]

    def _look_at(self, items: Sequence[Item]) -> list[Outcome | None]:
        """What came of each key; None: S3 does not let us see it."""
        events = [ObjectEvent(self._bucket.name, item.key, EventKind.BACKLOG) for item in items]
        try:
            new = self._ingest.look_at_new(events)
        except ObjectForbidden:
            new = {}
        return [new.get(event.key) or self._look_at_one(event) for event in events]

    def _look_at_one(self, event: ObjectEvent) -> Outcome | None:
        try:
            return self._ingest.look_at(event.key, event)
        except ObjectForbidden as exc:
            log.warning("object_forbidden", key=event.key, reason=str(exc))
            return None

    def _save(self, source: Source, state: BackfillState, *, finished: bool = False) -> None:
        with self._db.begin() as tx:
            backfills.save(tx, self._bucket.name, source.name, state, finished=finished)


def _as_known(item: Item, known: KnownVideo | None) -> bool:
    """Whether a look would change nothing. A list that is no listing of this moment tells keys only."""
    if known is None or known.state is State.REMOVED:
        return False
    return item.found is None or same_object(known.object, item.found)


class _Pace:
    """Lets so many keys a second pass."""

    def __init__(self, rate: float, stop: Stop, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._stop = stop
        self._clock = clock
        self._free_at = clock()

    def wait(self, count: int) -> None:
        """Wait until `count` keys may pass. Raises Interrupted when we are asked to stop."""
        now = self._clock()
        if self._stop.wait(max(0.0, self._free_at - now)):
            raise Interrupted("stopped; the same command goes on where it was")
        self._free_at = max(self._free_at, now) + count / self._rate
