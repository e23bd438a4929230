"""Watching a folder: whatever lies there and has come to rest is uploaded, once. Nothing there is touched.

The folder is read again and again, because notifications of the kernel are lost on network drives, overflow,
and say nothing of what was there before. A file has come to rest when two looks, some seconds apart, find the
same size and time of change.
"""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog

from inspector.aws.bucket import Bucket, possible_key
from inspector.errors import FileChanged, Interrupted
from inspector.media.tool import never
from inspector.model import FileState
from inspector.store import Database, watched
from inspector.worker.ingest import Ingest

log = structlog.get_logger(__name__)

#: Metadata of the object: the file's time of change. With the size it tells whether a file was uploaded
#: whole, where the database does not know (we died before it was told, or it is a new one).
_MARK: Final = "inspector-mtime-ns"

Report = Callable[[Path, str], None]


class Listener(Protocol):
    """Who is shown what happens. on_bytes: how many more bytes were sent; negative: it starts anew."""

    def began(self, key: str, size_bytes: int) -> None: ...

    def on_bytes(self, count: int) -> None: ...

    def ended(self, key: str, *, whole: bool) -> None: ...

    def trouble(self, path: Path, sentence: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file of the folder, and the key it goes to."""

    path: Path
    key: str
    state: FileState


@dataclass(frozen=True, slots=True)
class Look:
    """What came of one look at the folder. restless: files that still change, or came a moment ago."""

    uploaded: tuple[str, ...]
    restless: tuple[Path, ...]


class Watcher:
    """Uploads what lies in a folder. One thread.

    wanted: whether a key is that of a video.  settle_s: for how long a file must look the same.
    again: what was uploaded before is uploaded again if the bucket has it no more.
    """

    def __init__(
        self,
        db: Database,
        bucket: Bucket,
        ingest: Ingest,
        folder: Path,
        listener: Listener,
        *,
        wanted: Callable[[str], bool],
        most_bytes: int,
        prefix: str = "",
        settle_s: float = 5.0,
        again: bool = False,
        stopped: Callable[[], bool] = never,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._bucket = bucket
        self._ingest = ingest
        self._folder = folder
        self._listener = listener
        self._wanted = wanted
        self._most_bytes = most_bytes
        self._prefix = prefix
        self._settle_s = settle_s
        self._again = again
        self._stopped = stopped
        self._clock = clock
        self._seen: dict[str, tuple[FileState, float]] = {}
        self._done: dict[str, FileState] = {}
        self._troubles: dict[Path, str] = {}

    def run_once(self) -> Look:
        """Look at the folder, and upload what has come to rest.

        Raises BucketUnavailable, DatabaseUnavailable, or Interrupted; what was uploaded before stays done.
        """
        troubles = _Troubles(self._troubles, self._listener.trouble)
        files = [file for file in self._find(troubles.note) if self._done.get(file.key) != file.state]
        self._recall(files)
        files = [file for file in files if self._done.get(file.key) != file.state]
        now = self._clock()
        self._seen = {file.key: self._since(file, now) for file in files}
        uploaded, restless = [], []
        for file in files:
            if self._stopped():
                raise Interrupted("stopped before all was uploaded")
            if now - self._seen[file.key][1] < self._settle_s:
                restless.append(file.path)
            elif self._take(file, troubles.note):
                uploaded.append(file.key)
        self._troubles = troubles.now
        return Look(tuple(uploaded), tuple(restless))

    @property
    def troubles(self) -> int:
        """How many files and folders could not be read at the last look."""
        return len(self._troubles)

    def _find(self, report: Report) -> Iterator[Found]:
        for path, state in walk(self._folder, report):
            key = self._prefix + path.relative_to(self._folder).as_posix()
            if not possible_key(key):
                report(path, "its name cannot be a key: S3 takes up to 1,024 bytes of UTF-8")
            elif self._wanted(key):
                yield Found(path, key, state)

    def _recall(self, files: Sequence[Found]) -> None:
        if not self._again and files:
            with self._db.begin() as tx:
                self._done.update(watched.known(tx, self._bucket.name, [file.key for file in files]))

    def _since(self, file: Found, now: float) -> tuple[FileState, float]:
        """How the file looks, and since when."""
        before = self._seen.get(file.key)
        return before if before and before[0] == file.state else (file.state, now)

    def _take(self, file: Found, report: Report) -> bool:
        """Upload the file, unless the bucket has it. Returns whether it was uploaded."""
        if file.state.size_bytes > self._most_bytes:
            report(file.path, f"it is larger than {self._most_bytes} bytes (INSPECTOR_MAX_SIZE_BYTES)")
            return False
        try:
            uploaded = not self._lies_there(file) and self._upload(file)
        except FileChanged as exc:
            log.info("file_changed_while_uploading", path=str(file.path), what=str(exc))
            return False
        except OSError as exc:
            report(file.path, exc.strerror or str(exc))
            return False
        self._done[file.key] = file.state
        with self._db.begin() as tx:
            watched.remember(tx, self._bucket.name, file.key, file.state)
        return uploaded

    def _lies_there(self, file: Found) -> bool:
        there = self._bucket.describe(file.key)
        mark = str(file.state.mtime_ns)
        return there is not None and (there[0], there[1].get(_MARK)) == (file.state.size_bytes, mark)

    def _upload(self, file: Found) -> bool:
        """Raises FileChanged or OSError about the file, Unavailable or Interrupted."""
        with SteadyFile(file.path, file.state, self._stopped) as source:
            self._listener.began(file.key, file.state.size_bytes)
            whole = False
            try:
                mark = {_MARK: str(file.state.mtime_ns)}
                self._bucket.send(source, file.key, metadata=mark, on_bytes=self._listener.on_bytes)
                source.check()
                whole = True
            finally:
                self._listener.ended(file.key, whole=whole)
        self._ingest.look_at(file.key)
        return True


class SteadyFile(io.FileIO):
    """A file that must stay as it was seen: one that changes, or shrinks, ends the reading.

    It is opened once, so that a new name for it disturbs nothing.  fault: why a read failed; libraries
    between us and the reader hide what was raised.
    """

    def __init__(self, path: Path, expected: FileState, stopped: Callable[[], bool] = never) -> None:
        super().__init__(path, opener=_open_without_waiting)
        self.fault: FileChanged | Interrupted | None = None
        self._expected = expected
        self._stopped = stopped
        try:
            self.check()
        except FileChanged:
            super().close()
            raise

    def check(self) -> None:
        """Raise FileChanged if it does not look as expected."""
        if state_of(os.fstat(self.fileno())) != self._expected:
            raise FileChanged("it changed while it was read")

    def close(self) -> None:
        """Nothing: an upload closes what it has read, and may have to read it again."""

    def __exit__(self, *_: object) -> None:
        super().close()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Its end is where it was expected, wherever it is now."""
        if whence == os.SEEK_END:
            return super().seek(self._expected.size_bytes + offset)
        return super().seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stopped():
            self.fault = Interrupted("stopped before it was uploaded")
            raise self.fault
        at = self.tell()
        data = super().read(-1 if size is None else size) or b""
        wanted = self._expected.size_bytes - at if size is None or size < 0 else size
        if at + len(data) < min(at + wanted, self._expected.size_bytes):
            self.fault = FileChanged("it shrank while it was read")
            raise self.fault
        return data


@dataclass(slots=True)
class _Troubles:
    """What could not be read: told when it begins, not at every look."""

    before: dict[Path, str]
    tell: Report
    now: dict[Path, str] = field(default_factory=dict)

    def note(self, path: Path, sentence: str) -> None:
        self.now[path] = sentence
        if self.before.get(path) != sentence:
            self.tell(path, sentence)


def walk(folder: Path, report: Report) -> Iterator[tuple[Path, FileState]]:
    """The regular files below a folder, in the order of their names; hidden ones and empty ones left out.

    Symbolic links are followed, each folder is entered once. What cannot be read is reported and passed over.
    """
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            place = here.stat()
            if (place.st_dev, place.st_ino) in entered:
                continue
            entered.add((place.st_dev, place.st_ino))
            names = sorted(name for name in os.listdir(here) if not name.startswith("."))  # noqa: PTH208 - names only
        except OSError as exc:
            report(here, exc.strerror or str(exc))
            continue
        folders = []
        for path in (here / name for name in names):
            try:
                found = path.stat()
            except FileNotFoundError:  # gone since, or a link that leads nowhere
                continue
            except OSError as exc:
                report(path, exc.strerror or str(exc))
                continue
            if stat.S_ISDIR(found.st_mode):
                folders.append(path)
            elif stat.S_ISREG(found.st_mode) and found.st_size:
                yield path, state_of(found)
        waiting.extend(reversed(folders))


def state_of(found: os.stat_result) -> FileState:
    return FileState(found.st_size, found.st_mtime_ns)


def _open_without_waiting(path: str, flags: int) -> int:
    """What has become a pipe meanwhile must not hold us."""
    return os.open(path, flags | os.O_NONBLOCK)
