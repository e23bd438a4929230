"""Objects fetched into scratch folders: no larger than permitted, hashed on the way, of one version each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from inspector.aws.bucket import Bucket
from inspector.errors import BucketUnavailable, Interrupted, MediaRejected, RejectReason, ScratchFull
from inspector.model import ObjectState
from inspector.settings import Settings
from inspector.worker.scratch import scratch_folder

Cancelled = Callable[[], bool]  # asked often; true, or an error of its own, ends the work


class Downloads:
    """Fetches objects of one bucket."""

    def __init__(self, bucket: Bucket, settings: Settings) -> None:
        self._bucket = bucket
        self._settings = settings

    def room_for(self, found: ObjectState) -> AbstractContextManager[Path]:
        """A folder with room for this object, for the length of a block.

        Raises MediaRejected or ScratchFull.
        """
        if found.size_bytes == 0:
            raise MediaRejected(RejectReason.EMPTY)
        if found.size_bytes > self._settings.max_size_bytes:
            raise _too_large(self._settings.max_size_bytes)
        needed_bytes = found.size_bytes + self._settings.scratch_reserve_bytes
        return scratch_folder(self._settings.scratch, needed_bytes=needed_bytes)

    def fetch(self, key: str, found: ObjectState, file: BinaryIO, cancelled: Cancelled) -> bytes:
        """Write this very object to the file. Returns the sha256 of its bytes.

        Raises ObjectGone or ObjectChanged if it lies there no more, Interrupted, ScratchFull, and
        BucketUnavailable, also if fewer bytes came than it has: half a video must not be taken for a bad one.
        """
        sink = _Sink(file, self._settings.max_size_bytes, cancelled)
        self._bucket.download(key, sink, version_id=found.version_id, expected=found)
        written = sink.written_bytes()
        if written != found.size_bytes:
            raise BucketUnavailable(f"of {found.size_bytes} bytes of {key!r} {written} have arrived")
        return sink.sha256.digest()


class _Sink:
    """Writes a download to a file, computes its sha256 on the way, and keeps to the size limit."""

    def __init__(self, file: BinaryIO, most_bytes: int, cancelled: Cancelled) -> None:
        self.sha256 = hashlib.sha256()
        self._file = file
        self._room_bytes = self._most_bytes = most_bytes
        self._cancelled = cancelled

    def write(self, data: bytes) -> None:
        if self._cancelled():
            raise Interrupted("the download was cancelled")
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise _too_large(self._most_bytes)
        self.sha256.update(data)
        try:
            self._file.write(data)
        except OSError as exc:
            raise _full(exc) from exc

    def written_bytes(self) -> int:
        """How much of it lies in the file."""
        try:
            self._file.flush()
        except OSError as exc:
            raise _full(exc) from exc
        return os.fstat(self._file.fileno()).st_size


def _full(exc: OSError) -> ScratchFull:
    return ScratchFull(f"the download could not be written: {exc.strerror}")


def _too_large(most_bytes: int) -> MediaRejected:
    return MediaRejected(RejectReason.TOO_LARGE_BYTES, f"the limit is {most_bytes} bytes")
