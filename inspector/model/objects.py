"""What lies in the bucket or on a disk, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What S3 says lies under a key now. The ETag tells versions apart, never contents."""

    size_bytes: int
    etag: str
    last_modified: datetime
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class FileState:
    """How a local file looks from outside: enough to tell that it has changed."""

    size_bytes: int
    mtime_ns: int


class EventKind(StrEnum):
    """What a notification hints at. Ours are REDRIVE, a dead-lettered job to be inspected again, and BACKLOG,
    what a backfill has found in the bucket.
    """

    CREATED = "created"
    REMOVED = "removed"
    REDRIVE = "redrive"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """A hint to look at one key."""

    bucket: str
    key: str
    kind: EventKind
    sequencer: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as received: the receipt handle deletes this receive of it, and no other.

    lag_s: how long after it was sent it was received for the first time, if the queue says so.
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1
    lag_s: float | None = None
