"""Thumbnails of inspected videos: made while the download is still there, and taken away again.

Best effort: the job is done by then, and no fault here is one of the video. Pictures are put into the bucket
before they are noted and taken out before they are forgotten: what a crash leaves behind is overwritten when
the content comes again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from inspector.aws.bucket import Bucket
from inspector.errors import InspectorError
from inspector.media.thumbnails import choose_shots, make_thumbnails
from inspector.settings import Settings
from inspector.store import Database, contents, thumbnails

log = structlog.get_logger(__name__)

TIDY_PAUSE_S: Final = 60.0


class ThumbnailMaker:
    """Makes the thumbnails of one bucket's contents, and keeps their room."""

    def __init__(self, db: Database, bucket: Bucket, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self._settings = settings

    def make(self, path: Path, content_id: int, cancelled: Callable[[], bool]) -> None:
        """Make the thumbnails of an inspected file, unless there are some."""
        if not self._settings.thumbnails_bytes:
            return
        try:
            self._make(path, content_id, cancelled)
        except (InspectorError, OSError) as exc:
            log.info("thumbnails_not_made", content=content_id, error=str(exc))

    def _make(self, path: Path, content_id: int, cancelled: Callable[[], bool]) -> None:
        with self._db.begin() as tx:
            seen = contents.look_of(tx, content_id)
            if thumbnails.known(tx, seen.sha256):
                return
        shots = choose_shots(seen.cuts_s, seen.duration_s)
        made = make_thumbnails(path, seen.media, shots, self._settings, cancelled=cancelled)
        if not made:
            return
        self._bucket.put(thumbnails.key_of(seen.sha256.hex()), b"".join(each.jpeg for each in made))
        with self._db.begin() as tx:
            thumbnails.save(tx, seen.sha256, [m.time_s for m in made], [len(m.jpeg) for m in made])

    def tidy_once(self) -> float:
        """Remove what has no video any more, and the oldest of too much. Returns the seconds until next time.

        Raises DatabaseUnavailable or BucketUnavailable.
        """
        with self._db.begin() as tx:
            surplus = thumbnails.surplus(tx, most_bytes=self._settings.thumbnails_bytes)
            for sha256 in surplus:
                self._bucket.delete(thumbnails.key_of(sha256.hex()))
                thumbnails.forget(tx, sha256)
        return 0.0 if surplus else TIDY_PAUSE_S
