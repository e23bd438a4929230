"""The sweep: bucket and database compared in slices, so that lost events cost minutes and never a video."""

from __future__ import annotations

from typing import Final

import structlog

from inspector import failpoints
from inspector.aws.bucket import Bucket, ListPage
from inspector.errors import ObjectForbidden, SweepBusy
from inspector.metrics import SWEEPS
from inspector.settings import Settings
from inspector.store import Database, grouping, sweeps, videos
from inspector.store.sweeps import SweepState
from inspector.store.videos import KnownVideo
from inspector.worker.ingest import Ingest, same_object

log = structlog.get_logger(__name__)

_PATIENCE_S: Final = 60.0  # longer than a worker needs for a slice


class Sweep:
    """Compares one bucket with the database. Any process may call it; one at a time gets to work."""

    def __init__(self, db: Database, bucket: Bucket, ingest: Ingest, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self._ingest = ingest
        self._settings = settings

    def run_once(self) -> bool:
        """Compare one slice, if a sweep is due. Returns whether there is more to do at once.

        Raises BucketUnavailable or DatabaseUnavailable; then the same slice is compared again next time: a
        listing that failed removes nothing.
        """
        with sweeps.only_sweeper(self._db, self._bucket.name) as mine:
            return mine and self._step(confirm_removals=False)

    def run_whole(self, *, confirm_removals: bool = False) -> str | None:
        """Sweep the whole bucket now, from the start. Returns why removals are blocked, if they are.

        Raises SweepBusy if another process does not finish its slice in time.
        """
        with sweeps.only_sweeper(self._db, self._bucket.name, wait_s=_PATIENCE_S) as mine:
            if not mine:
                raise SweepBusy("another process is sweeping the bucket: try again in a minute")
            self._load()
            with self._db.begin() as tx:
                sweeps.start(tx, self._bucket.name)
            while self._step(confirm_removals):
                pass
        return self._load().blocked

    def _step(self, confirm_removals: bool) -> bool:
        state = self._load()
        if not state.due:
            return False
        if not state.running:
            with self._db.begin() as tx:
                sweeps.start(tx, self._bucket.name)
        page = self._bucket.list_page(state.position, limit=self._settings.sweep_slice)
        self._compare(state, page)
        failpoints.reach("swept")
        if page.last:
            self._settle(confirm_removals)
            return False
        with self._db.begin() as tx:
            sweeps.advance(tx, self._bucket.name, page.objects[-1][0])
        return True

    def _compare(self, state: SweepState, page: ListPage) -> None:
        """Look at what the listing shows otherwise than we know it; note what it does not show."""
        until = None if page.last else page.objects[-1][0]
        with self._db.begin() as tx:
            known = videos.find_range(tx, self._bucket.name, state.position, until, queued_before=state.now)
            listed = {key for key, _ in page.objects}
            videos.mark_missed(tx, [video.id for video in known if video.key not in listed])
        for key in _different(page, {video.key: video for video in known}):
            if self._settings.accepts_key(key):
                self._look_at(key)

    def _look_at(self, key: str) -> None:
        """One object that is not for us must not keep the sweep from the others."""
        try:
            self._ingest.look_at(key)
        except ObjectForbidden as exc:
            log.warning("object_forbidden", key=key, reason=str(exc))

    def _settle(self, confirm_removals: bool) -> None:
        """Remove what was missed in the whole listing, unless it is too much to be believed."""
        with self._db.begin() as tx:
            missed = videos.missed(tx, self._bucket.name)
            present = videos.count_present(tx, self._bucket.name)
        blocked = None
        if len(missed) > self._settings.removal_brake * present and not confirm_removals:
            blocked = (
                f"{len(missed)} of {present} videos are not in the bucket's listing; if that is right, run "
                "`inspector sweep --confirm-removals`"
            )
            log.warning("sweep_blocked", missed=len(missed), present=present)
        else:
            for key in missed:
                self._look_at(key)
        with self._db.begin() as tx:
            sweeps.finish(tx, self._bucket.name, blocked=blocked)
        SWEEPS.labels("blocked" if blocked else "complete").inc()
        grouping.refresh(self._db, grouping.Rules(self._settings.min_score, self._settings.common_from))

    def _load(self) -> SweepState:
        with self._db.begin() as tx:
            return sweeps.load(tx, self._bucket.name, interval_s=self._settings.sweep_interval_s)


def _different(page: ListPage, known: dict[str, KnownVideo]) -> list[str]:
    return [
        key for key, found in page.objects if key not in known or not same_object(known[key].object, found)
    ]
