"""Checkpoints of one attempt: a long video goes on where the attempt before it stopped.

Kept is the place in the file together with the fingerprint so far, after each segment. Both are restored to
the last bit, so an interrupted inspection ends with exactly the rows of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Final

import structlog

from inspector.errors import DatabaseUnavailable
from inspector.fingerprint import PARTS, Fingerprinter
from inspector.freezing import freeze, thaw
from inspector.media import PLACE_PARTS, Place, plan_of
from inspector.model import ALGORITHM, Lease, MediaInfo
from inspector.settings import Settings
from inspector.store import Database, checkpoints
from inspector.store.checkpoints import Basis

log = structlog.get_logger(__name__)

_CLASSES: Final = (*PARTS, *PLACE_PARTS)
#: Another release may freeze other things under the same names.
_RELEASE: Final = version("video-inspector")


class Checkpoints:
    """Keeps and finds the checkpoints of one leased job about these bytes."""

    def __init__(
        self, db: Database, lease: Lease, sha256: bytes, media: MediaInfo, settings: Settings
    ) -> None:
        plan = f"{ALGORITHM} {_RELEASE} {plan_of(media, settings)}"
        self._db = db
        self._lease = lease
        self._basis = Basis(sha256, hashlib.sha256(plan.encode()).digest())
        self._count = 0

    def resume(self) -> tuple[Place, Fingerprinter] | None:
        """Where to go on, if an attempt before this one has come somewhere. Raises DatabaseUnavailable."""
        with self._db.begin() as tx:
            found = checkpoints.load(tx, self._lease, self._basis)
        if found is None:
            return None
        self._count = len(found.grown)
        place, fingerprinter = thaw(found.state, found.grown, _CLASSES)
        log.info("inspection_resumed", key=self._lease.key, segments=place.borders)
        return place, fingerprinter

    def keep(self, place: Place, fingerprinter: Fingerprinter, progress: float) -> None:
        """One more segment is done. Raises LeaseLost; a database that is away costs only this checkpoint."""
        frozen = freeze((place, fingerprinter), _CLASSES)
        try:
            with self._db.begin() as tx:
                checkpoints.save(tx, self._lease, self._basis, self._count, progress, frozen)
        except DatabaseUnavailable as exc:
            log.info("checkpoint_not_kept", key=self._lease.key, error=str(exc))
            return
        frozen.mark_kept()
        self._count += 1
