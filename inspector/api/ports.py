"""What this room needs from others, as protocols. `store` and `aws` fulfil them; tests bring small fakes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from inspector.model import Change, LoggedChanges, ObjectState, Overview, State, VideoStatus


class StatusSource(Protocol):
    """Statuses as PostgreSQL has them now. Thread-safe; every method may raise DatabaseUnavailable."""

    def by_key(self, bucket: str, key: str) -> VideoStatus | None:
        """The video of exactly this key."""

    def by_name(self, bucket: str, name: str) -> VideoStatus | None:
        """The newest video whose last path part is `name`."""

    def by_ids(self, video_ids: Collection[int]) -> list[VideoStatus]:
        """The videos of these ids, as far as they exist, in any order."""

    def page(
        self, bucket: str, *, before: int | None, limit: int, state: State | None = None
    ) -> list[VideoStatus]:
        """Newest first by video id; only ids below `before`, only in `state`, if given."""

    def revisions(self, video_ids: Collection[int]) -> dict[int, int]:
        """The present revision of each of these videos that exists."""

    def changes_after(self, bucket: str, position: int | None, *, limit: int) -> LoggedChanges:
        """The changes of the bucket's videos after a position of the log; None: none of them, only its span.

        What is not yet told at a position never appears at that position or before it.
        """

    def overview(self, bucket: str) -> Overview:
        """Counts of jobs, heartbeats of workers, the sweep."""

    def ping(self) -> None:
        """Return if the database answers."""


class ChangeSource(Protocol):
    """Hears which videos and contents change. For the thread that made it only."""

    def wait(self, timeout_s: float) -> list[Change]:
        """The changes since the last call; blocks until there is one, or for the timeout.

        The first call starts to listen. Raises DatabaseUnavailable when the connection is lost: changes
        may have been missed then. Another call listens anew.
        """

    def close(self) -> None:
        """Stop listening."""


class ObjectSource(Protocol):
    """The bucket, as far as the status needs it. Thread-safe."""

    def head(self, key: str) -> ObjectState | None:
        """What lies under the key now. Raises BucketUnavailable."""


ChangesFactory = Callable[[], ChangeSource]
