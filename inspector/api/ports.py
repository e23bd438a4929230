"""What this room needs from others, as protocols. `store` and `aws` fulfil them; tests bring small fakes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from inspector.aws.queue import QueueDepths
from inspector.model import Change, Fingerprint, LoggedChanges, ObjectState, Overview, State, VideoStatus
from inspector.review.actions import ActionKind, Plan
from inspector.store.actions import Action, Done
from inspector.store.attempts import Attempt
from inspector.store.catalog import Filter
from inspector.store.shown import Hour
from inspector.store.thumbnails import Thumbnails


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


class MediaSource(ObjectSource, Protocol):
    """The bucket, as far as the pages need it. Thread-safe."""

    @property
    def public_origin(self) -> str:
        """Scheme and host by which browsers reach the bucket."""

    def read(self, key: str, start: int, size_bytes: int) -> bytes | None:
        """A few bytes of a small object; None if there is none. Raises BucketUnavailable."""

    def signed_url(self, key: str) -> str:
        """An address by which a browser may read an object for some minutes."""


class PageSource(Protocol):
    """What the pages show beside statuses. Thread-safe; every method may raise DatabaseUnavailable."""

    def find(self, wanted: Filter, *, before: int | None, limit: int) -> list[VideoStatus]:
        """The newest videos that are wanted, of those with an id below `before`."""

    def thumbnails(self, sha256s: Collection[str]) -> dict[str, Thumbnails]:
        """The pictures of these contents, as far as there are any."""

    def fingerprints(self, content_ids: Collection[int]) -> dict[int, Fingerprint]:
        """Of these contents, as far as they can be compared now."""

    def attempts(self, video_id: int) -> list[Attempt]:
        """The attempts at a video, the oldest first."""

    def hours(self) -> list[Hour]:
        """The throughput of the last day, the oldest hour first."""

    def troubles(self, limit: int) -> list[VideoStatus]:
        """The videos that failed or were rejected last."""

    def redrive(self) -> int:
        """Put back into the queue what has failed. Returns how many videos that were."""


class QueueSource(Protocol):
    """The queues, as far as the pages need them. Thread-safe."""

    def depths(self) -> QueueDepths:
        """About how many messages there are. Raises QueueUnavailable."""


class ActionSource(Protocol):
    """Acts on objects. Thread-safe; methods raise DatabaseUnavailable, BucketUnavailable, DecisionRefused."""

    def plan(
        self, kind: ActionKind, *, prefix: str | None = None, numbers: Collection[int] | None = None
    ) -> Plan:
        """What would be done, by these decisions only, if any are named."""

    def undoable(self, kind: ActionKind) -> bool:
        """Whether an action of this kind can be undone in this bucket."""

    def apply(self, plan: Plan, *, actor: str, force: bool = False) -> list[Done]:
        """Do what was planned; force: also what cannot be undone."""

    def undo(self, ids: Collection[int], *, actor: str) -> list[Done]:
        """Undo actions, the latest first. Raises UnknownSubject."""

    def resume(self) -> list[Done]:
        """Finish what processes that died have begun."""

    def page(self, *, before: int | None = None, limit: int = 50) -> list[Action]:
        """The newest actions first; before: the id to go on from."""


ChangesFactory = Callable[[], ChangeSource]
