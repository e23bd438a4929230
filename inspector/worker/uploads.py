"""Uploads that nobody goes on with: aborted, since S3 keeps and charges what has arrived of them."""

from __future__ import annotations

from typing import Final

import structlog

from inspector.aws.uploads import Uploads
from inspector.store import Database, uploads

log = structlog.get_logger(__name__)

_EVERY_S: Final = 60.0
_AT_ONCE: Final = 10


class StaleUploads:
    """Aborts what is stale. Any number of workers may do it."""

    def __init__(self, db: Database, remote: Uploads, bucket: str) -> None:
        self._db = db
        self._remote = remote
        self._bucket = bucket

    def run_once(self) -> float:
        """Raises BucketUnavailable or DatabaseUnavailable; what is left is aborted next time."""
        with self._db.begin() as tx:
            found = uploads.stale(tx, self._bucket, limit=_AT_ONCE)
            for upload in found:
                self._remote.abort(upload.key, upload.upload_id)
                uploads.drop(tx, upload.id)
                log.info("upload_aborted", key=upload.key)
        return 0.0 if len(found) == _AT_ONCE else _EVERY_S
