"""Where a backfill finds its keys: the bucket's own listing, or a list that somebody else made."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from inspector.aws.bucket import Bucket
from inspector.aws.inventory import (
    DEFAULT_COLUMNS,
    Listed,
    Manifest,
    listed_in,
    parse_manifest,
    places_beside,
)
from inspector.errors import ForeignBucket, ObjectGone, UnreadableInventory
from inspector.model import ObjectState

PAGE_KEYS: Final = 1000

_Opened = AbstractContextManager[Path]


@dataclass(frozen=True, slots=True)
class Item:
    """A key, and what is said to lie there; `found` only if S3 itself said so just now."""

    key: str
    size_bytes: int | None
    found: ObjectState | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some keys in a row. position: the place behind them; where another process may go on."""

    items: tuple[Item, ...]
    position: str


class Source(Protocol):
    """Keys in an order that does not change. name: the same whenever the same keys are meant."""

    name: str

    def pages(self, position: str) -> Iterator[Page]:
        """The keys behind a position; "" is before the first one."""
        ...


class Listing:
    """What lies under a prefix now. A position is the last key."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self.name = f"s3://{bucket.name}/{prefix}"
        self._bucket = bucket
        self._prefix = prefix

    def pages(self, position: str) -> Iterator[Page]:
        last = False
        while not last:
            page = self._bucket.list_page(position, self._prefix, PAGE_KEYS)
            last = page.last
            if page.objects:
                position = page.objects[-1][0]
                yield Page(tuple(Item(key, found.size_bytes, found) for key, found in page.objects), position)


class Inventory:
    """What a list says. A position is the number of a file, and how many of its keys are done: `3:120000`."""

    def __init__(self, name: str, manifest: Manifest, fetch: Callable[[str], _Opened]) -> None:
        """fetch: brings a file of the list onto this machine, for the time of a block."""
        self.name = name
        self._manifest = manifest
        self._fetch = fetch

    def pages(self, position: str) -> Iterator[Page]:
        first, _, done = (position or "0:0").partition(":")
        for number, file in islice(enumerate(self._manifest.files), int(first), None):
            yield from self._pages_of(number, file, int(done) if number == int(first) else 0)

    def _pages_of(self, number: int, file: str, done: int) -> Iterator[Page]:
        with self._fetch(file) as path, closing(listed_in(path, self._manifest, file)) as listed:
            rest = islice(listed, done, None)
            while items := tuple(islice(map(_item, rest), PAGE_KEYS)):
                done += len(items)
                yield Page(items, f"{number}:{done}")


def find_source(place: str, bucket: Bucket, other: Callable[[str], Bucket]) -> Source:
    """The keys that a person means by `s3://bucket/prefix`, or by a manifest or a CSV file, here or in S3.

    other: the bucket of a name; lists may lie in another one than what they list.
    Raises ForeignBucket, UnreadableInventory.
    """
    if not place.startswith("s3://"):
        return _local_list(Path(place), bucket, other)
    name, _, key = place.removeprefix("s3://").partition("/")
    if key.endswith(("manifest.json", ".csv", ".csv.gz")):
        return _remote_list(other(name), key, bucket, other)
    if name != bucket.name:
        raise ForeignBucket(
            f"this inspector looks after the bucket {bucket.name!r}, not {name!r}: nobody would tell it of "
            f"changes there. Run another one for it (INSPECTOR_BUCKET={name}, with a database and queues of "
            f"its own), or copy the videos: aws s3 sync {place} s3://{bucket.name}/"
        )
    return Listing(bucket, key)


def _local_list(path: Path, bucket: Bucket, other: Callable[[str], Bucket]) -> Source:
    try:
        stat = path.stat()
        text = path.read_bytes() if path.suffix == ".json" else b""
    except OSError as exc:
        raise UnreadableInventory(
            f"{path}: {exc.strerror}; wanted is s3://{bucket.name}/PREFIX, a manifest.json or a CSV file"
        ) from exc
    name = f"{path.absolute()} of {stat.st_mtime_ns}"
    if not text:
        return Inventory(name, _plain(bucket, str(path)), lambda file: nullcontext(Path(file)))
    manifest = _checked(parse_manifest(text), bucket)

    @contextmanager
    def fetch(file: str) -> Iterator[Path]:
        beside = next((place for place in places_beside(path, file) if place.is_file()), None)
        if beside is not None:
            yield beside
            return
        with _downloaded(other(manifest.stored_in), file) as fetched:
            yield fetched

    return Inventory(name, manifest, fetch)


def _remote_list(place: Bucket, key: str, bucket: Bucket, other: Callable[[str], Bucket]) -> Source:
    found = place.head(key)
    if found is None:
        raise UnreadableInventory(f"there is no s3://{place.name}/{key}")
    name = f"s3://{place.name}/{key} of {found.etag}"
    if not key.endswith(".json"):
        return Inventory(name, _plain(bucket, key), lambda file: _downloaded(place, file))
    with _downloaded(place, key) as path:
        manifest = _checked(parse_manifest(path.read_bytes()), bucket)
    return Inventory(name, manifest, lambda file: _downloaded(other(manifest.stored_in), file))


def _plain(bucket: Bucket, file: str) -> Manifest:
    """A list that nothing is said of."""
    return Manifest(bucket.name, bucket.name, DEFAULT_COLUMNS, (file,))


def _checked(manifest: Manifest, bucket: Bucket) -> Manifest:
    if manifest.bucket != bucket.name:
        raise ForeignBucket(
            f"the inventory lists {manifest.bucket!r}; this inspector looks after {bucket.name!r}"
        )
    return manifest


@contextmanager
def _downloaded(bucket: Bucket, key: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="inspector-inventory-") as file:
        try:
            bucket.download(key, file)
        except ObjectGone as exc:
            raise UnreadableInventory(
                f"s3://{bucket.name}/{key} is gone, which belongs to the inventory"
            ) from exc
        file.flush()
        yield Path(file.name)


def _item(listed: Listed) -> Item:
    return Item(listed.key, listed.size_bytes)
