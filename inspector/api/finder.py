"""Which video does a key mean? The database, the bucket and file names are asked, in this order."""

from __future__ import annotations

from collections.abc import Callable

from inspector.api.board import Snapshot, StatusBoard
from inspector.api.keys import storable
from inspector.api.ports import ObjectSource
from inspector.errors import BucketUnavailable, ObjectForbidden
from inspector.model import ObjectState, State, VideoStatus


class Finder:
    """Finds the status of one bucket's videos. accepts_key: whether ingest takes a key for a video's."""

    def __init__(
        self, board: StatusBoard, objects: ObjectSource, bucket: str, accepts_key: Callable[[str], bool]
    ) -> None:
        self.board = board
        self._objects = objects
        self._bucket = bucket
        self._accepts_key = accepts_key

    def find(self, key: str) -> VideoStatus | None:
        """The video of exactly this key, else the newest one of this file name; None if there is neither.

        Raises DatabaseUnavailable, or BucketUnavailable if only the bucket could tell.
        """
        return self.exact(key) or self._by_name(key)

    def remembered(self, key: str) -> Snapshot | None:
        """The video of exactly this key, if memory alone tells what it is now: a removed one may be back."""
        known = self.board.remembered(self._bucket, key)
        return None if known is None or known.state is State.REMOVED else known

    def exact(self, key: str) -> VideoStatus | None:
        """The video of exactly this key, `pending` if the bucket holds an object that was not seen yet."""
        if not storable(key):
            return None
        known = self.board.by_key(self._bucket, key)
        if known is None:
            return self._pending(key)
        if known.state is not State.REMOVED:
            return known
        return self._revived(known) or known

    def recorded(self, key: str) -> VideoStatus | None:
        """What the database has of exactly this key."""
        return self.board.by_key(self._bucket, key) if storable(key) else None

    def _by_name(self, name: str) -> VideoStatus | None:
        if "/" in name or not storable(name):
            return None
        return self.board.by_name(self._bucket, name)

    def _pending(self, key: str) -> VideoStatus | None:
        if not self._accepts_key(key):
            return None
        try:
            found = self._objects.head(key)
        except ObjectForbidden as exc:
            raise BucketUnavailable(str(exc)) from exc
        return None if found is None else _pending_status(self._bucket, key, found)

    def _revived(self, known: VideoStatus) -> VideoStatus | None:
        """A removed video whose object is back is pending again, until its event arrives."""
        try:
            return self._pending(known.key)
        except BucketUnavailable:
            return None  # the database's answer stands


def _pending_status(bucket: str, key: str, found: ObjectState) -> VideoStatus:
    return VideoStatus(
        video_id=None,
        content_id=None,
        bucket=bucket,
        key=key,
        state=State.PENDING,
        revision=0,
        size_bytes=found.size_bytes,
        updated_at=found.last_modified,
    )
