"""One tree of errors; the class of an error says whether trying again makes sense.

InspectorError
├── ConfigError            the settings or the machine are not fit to start
├── MediaRejected          the file is no video we accept: final, with a reason
├── MalformedEvent         a queue message that says nothing we understand: dead-lettered
├── LeaseLost              another worker owns the job now
├── ObjectGone             the object is no longer in the bucket: look at the key again
├── ObjectForbidden        the bucket answers, but not for this object
├── ObjectChanged          the object was overwritten meanwhile: look at the key again
├── FileChanged            a local file changed while it was read
├── UnknownSubject         there is no such group, pair, stretch, decision or action
├── DecisionRefused        this cannot be decided of it, or done with it
│   └── DecisionOutdated   what is decided about has changed meanwhile: look again
├── SweepBusy              another process is sweeping the bucket
├── BackfillBusy           another process is at the same backfill
├── ForeignBucket          this is not the bucket that is inspected
├── UnreadableInventory    the list of objects is none that we understand
├── Interrupted            we were asked to stop
├── ToolFailed             ffmpeg or ffprobe ended with an error of its own
│   ├── ToolMissing        it is not installed
│   ├── ToolKilled         it died by a signal from outside
│   ├── NoPicture          what it delivers shows none
│   └── ToolTimeout        it took longer than its deadline
│       └── ToolStalled    it made no progress for too long
├── ScratchFull            no room for the download
└── Unavailable            a service cannot be reached: wait and try again
    ├── DatabaseUnavailable
    │   └── DatabaseBusy       it answers, but this statement took too long, or met a deadlock
    ├── BucketUnavailable
    └── QueueUnavailable
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class InspectorError(Exception):
    """Root of every error raised on purpose. `retry` tells the worker what to do."""

    retry = True


class ConfigError(InspectorError):
    """The settings or the machine are not fit to start; the message names the remedy."""

    retry = False


class RejectReason(StrEnum):
    """Why a file is no video we accept. The value is what users and programs see."""

    EMPTY = "empty"
    NOT_MEDIA = "not_media"
    NO_VIDEO_STREAM = "no_video_stream"
    DISALLOWED_FORMAT = "disallowed_format"
    TOO_LARGE_BYTES = "too_large_bytes"
    TOO_LARGE_PIXELS = "too_large_pixels"
    TOO_MANY_STREAMS = "too_many_streams"
    ZERO_DIMENSIONS = "zero_dimensions"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    TOO_DEMANDING = "too_demanding"
    UNREADABLE = "unreadable"


class MediaRejected(InspectorError):
    """The file is no video we can read; trying again would not help."""

    retry = False

    def __init__(self, reason: RejectReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class MalformedEvent(InspectorError):
    """The message is no event we understand; it goes to the dead-letter queue with this reason."""

    retry = False


class LeaseLost(InspectorError):
    """Another worker owns the job now: stop, and write nothing more."""

    retry = False


class ObjectGone(InspectorError):
    """The object is no longer in the bucket: look at the key again."""

    retry = False


class ObjectForbidden(InspectorError):
    """The bucket answers, but not for this object: another owner, a policy, a key we do not have."""

    retry = False


class ObjectChanged(InspectorError):
    """The object was overwritten while it was read: look at the key again."""

    retry = False


class FileChanged(InspectorError):
    """A local file changed while it was read: look at it again later."""


class UnknownSubject(InspectorError):
    """There is no such group, pair, stretch, decision or action."""

    retry = False


class DecisionRefused(InspectorError):
    """This cannot be decided of what is decided about, or done with it; the message says why."""

    retry = False


class DecisionOutdated(DecisionRefused):
    """What is decided about has changed since it was shown. changes: in words, one each."""

    def __init__(self, message: str, changes: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join((message, *changes)))
        self.changes = changes


class SweepBusy(InspectorError):
    """Another process is sweeping the bucket: one at a time."""


class BackfillBusy(InspectorError):
    """Another process is at the same backfill: one at a time."""


class ForeignBucket(InspectorError):
    """This is not the bucket that is inspected: nobody would tell us of its changes."""

    retry = False


class UnreadableInventory(InspectorError):
    """The list of objects is none that we understand; the message says what would be."""

    retry = False


class Interrupted(InspectorError):
    """We were asked to stop; the job goes back to the queue."""


class ToolFailed(InspectorError):
    """An external program ended with an error of its own."""

    def __init__(self, message: str, *, returncode: int | None = None, stderr: str = "") -> None:
        super().__init__(message)
        self.returncode = returncode
        self.stderr = stderr


class ToolMissing(ToolFailed):
    """ffmpeg or ffprobe is not installed."""


class ToolKilled(ToolFailed):
    """The program died by a signal from outside (the OOM killer, kill -9): expected, and retried."""


class NoPicture(ToolFailed):
    """A live source delivers no picture, or none that can be recorded; it may show one later."""


class ToolTimeout(ToolFailed):
    """The program took longer than its deadline. busy: it computed all the while, and did not just wait."""

    def __init__(
        self, message: str, *, returncode: int | None = None, stderr: str = "", busy: bool = False
    ) -> None:
        super().__init__(message, returncode=returncode, stderr=stderr)
        self.busy = busy


class ToolStalled(ToolTimeout):
    """The program made no progress for too long."""


class ScratchFull(InspectorError):
    """There is no room in the scratch folder for this download."""


class Unavailable(InspectorError):
    """A service we depend on cannot be reached now: wait and try again."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached."""


class DatabaseBusy(DatabaseUnavailable):
    """PostgreSQL answers, but what we asked took too long, met a deadlock, or found the disk full."""


class BucketUnavailable(Unavailable):
    """S3 cannot be reached, or did not answer."""


class QueueUnavailable(Unavailable):
    """SQS cannot be reached, or did not answer."""


_PATH: Final = re.compile(r"(?:file:)?(?<![\w.])/[^\s'\",;:]+")


def told(exc: Exception) -> str:
    """What everybody who sees a video may know of an error: no host, no path, no statement.

    Services and libraries name such things; their own words are for the log.
    """
    if isinstance(exc, Unavailable):
        return (type(exc).__doc__ or "").strip()
    if not isinstance(exc, InspectorError):
        return "internal error; the log of the worker says more"
    return _PATH.sub("…", str(exc))
