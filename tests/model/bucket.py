"""The world outside, in memory: a bucket with versions, events that go astray, and a dead-letter queue."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from inspector.aws.bucket import Bucket, ListPage, Sink
from inspector.aws.queue import Queue
from inspector.errors import ObjectChanged, ObjectGone, QueueUnavailable
from inspector.model import EventKind, ObjectEvent, ObjectState

NAME: Final = "videos"
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """What was put under a key at one time; `body` None: a delete marker."""

    state: ObjectState
    body: bytes | None


@dataclass
class MemoryBucket(Bucket):
    """Behaves like S3 as far as workers look at it, and keeps the events it would send.

    versioned: objects have version ids, and deleting puts a marker.  sequenced: events tell their order.
    now_s: the time of day; objects are dated by whole seconds, as S3 does.  forgetful: it answers as if it
    were empty, like an emulator that came back without its data.
    """

    versioned: bool = False
    sequenced: bool = True
    now_s: float = 0.0
    forgetful: bool = False
    events: list[ObjectEvent] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)  # by ETag, all there ever were
    _versions: dict[str, list[Version]] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        super().__init__(cast(Any, None), NAME)

    # ------------------------------------------------------------ what people do

    def store(self, key: str, body: bytes) -> None:
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.bodies[etag] = body
        self._add(key, Version(ObjectState(len(body), etag, self._now(), self._next_id()), body))
        self._tell(key, EventKind.CREATED)

    def erase(self, key: str) -> None:
        self._add(key, Version(ObjectState(0, "", self._now(), self._next_id()), None))
        self._tell(key, EventKind.REMOVED)

    def restore(self, key: str) -> None:
        """Delete the delete marker on top, which S3 tells as a removal, if at all."""
        if self.versioned and self._latest(key) is None and len(self._versions.get(key, ())) > 1:
            self._versions[key].pop()
            self._tell(key, EventKind.REMOVED)

    def contents(self) -> Mapping[str, ObjectState]:
        """What truly lies there now, by key."""
        found = {key: self._latest(key) for key in sorted(self._versions)}
        return {key: version.state for key, version in found.items() if version is not None}

    # ------------------------------------------------------------ what workers see

    def check(self) -> None:
        """It always answers."""

    def head(self, key: str, version_id: str | None = None) -> ObjectState | None:
        return None if self.forgetful else self.contents().get(key)

    def list_page(self, start_after: str = "", prefix: str = "", limit: int = 1000) -> ListPage:
        listed = [] if self.forgetful else list(self.contents().items())
        left = [(key, _without_version(state)) for key, state in listed if key > start_after]
        return ListPage(left[:limit], last=len(left) <= limit)

    def download(
        self, key: str, sink: Sink, *, version_id: str | None = None, expected: ObjectState | None = None
    ) -> ObjectState:
        kept = [] if self.forgetful else self._versions.get(key, [])
        wanted = [v for v in kept if v.state.version_id == version_id] if self.versioned else kept[-1:]
        body = wanted[0].body if wanted else None
        if body is None:
            raise ObjectGone(key)
        state = wanted[0].state
        if expected is not None and state.etag != expected.etag:
            raise ObjectChanged(key)
        sink.write(body)
        return state

    def _latest(self, key: str) -> Version | None:
        versions = self._versions.get(key)
        return versions[-1] if versions and versions[-1].body is not None else None

    def _add(self, key: str, version: Version) -> None:
        kept = self._versions.get(key, []) if self.versioned else []
        self._versions[key] = [*kept, version]

    def _tell(self, key: str, kind: EventKind) -> None:
        self._count += 1
        sequencer = f"{self._count:X}" if self.sequenced else None
        self.events.append(ObjectEvent(NAME, key, kind, sequencer))

    def _next_id(self) -> str | None:
        return f"v{self._count}" if self.versioned else None

    def _now(self) -> datetime:
        return _BEGINNING + timedelta(seconds=int(self.now_s))


class LetterBox(Queue):
    """A dead-letter queue that may be away."""

    def __init__(self) -> None:
        super().__init__(cast(Any, None), "events", "dead-letters")
        self.bodies: list[str] = []
        self.away = False

    def dead_letter(self, body: str, reason: str, *, attributes: Mapping[str, str] | None = None) -> None:
        if self.away:
            raise QueueUnavailable("no answer")
        self.bodies.append(body)


def _without_version(state: ObjectState) -> ObjectState:
    return ObjectState(state.size_bytes, state.etag, state.last_modified)
