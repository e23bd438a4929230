"""Lists of objects that somebody else made: S3 Inventory, by its manifest or one of its files, or any CSV.

Sources: Amazon S3 User Guide, "Amazon S3 Inventory list" (columns; keys are URL-encoded, there is no header)
and "Locating your inventory list" (manifest.json). Inventories in ORC and Parquet are not read.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import unquote_plus

from inspector.errors import ForeignBucket, UnreadableInventory

#: Of a CSV without a manifest; what follows is not looked at.
DEFAULT_COLUMNS: Final = ("Bucket", "Key")
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as the list has it. size_bytes: None if the list does not tell."""

    key: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What belongs to an inventory. bucket: whose objects are listed.  stored_in: the bucket of its files."""

    bucket: str
    stored_in: str
    columns: tuple[str, ...]
    files: tuple[str, ...]


def parse_manifest(text: bytes) -> Manifest:
    """Raises UnreadableInventory."""
    try:
        said = json.loads(text)
        if said["fileFormat"] != "CSV":
            raise UnreadableInventory(
                f"the inventory is in {said['fileFormat']}, only CSV is read: let S3 write it as CSV"
            )
        return Manifest(
            bucket=said["sourceBucket"],
            stored_in=said["destinationBucket"].rpartition(":")[2],
            columns=tuple(column.strip() for column in said["fileSchema"].split(",")),
            files=tuple(file["key"] for file in said["files"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise UnreadableInventory(f"this is no manifest of an S3 Inventory: {exc!r}") from exc


def parse_list(lines: Iterable[str], columns: Sequence[str], bucket: str, name: str) -> Iterator[Listed]:
    """The present objects of one file, in its order; old versions and delete markers left out.

    name: of the file, for messages.  Raises UnreadableInventory, ForeignBucket.
    """
    try:
        yield from _objects(csv.reader(lines), columns, bucket, name)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as exc:
        raise UnreadableInventory(f"{name} is no CSV file: {exc}") from exc


def open_list(path: Path) -> TextIO:
    """A file of an inventory as text, gzipped or not."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path, "rt", newline="") if packed else path.open(newline="", encoding="utf-8")


def _objects(rows: Iterable[list[str]], columns: Sequence[str], bucket: str, name: str) -> Iterator[Listed]:
    for number, row in enumerate(rows, start=1):
        cells: dict[str, Any] = dict(zip(columns, row, strict=False))
        if not row or [cell.lower() for cell in row[:2]] == ["bucket", "key"]:
            continue
        if not {"Bucket", "Key"} <= cells.keys():
            raise UnreadableInventory(f"{name}, line {number}: a bucket and a key are wanted: `bucket,key`")
        if cells["Bucket"] != bucket:
            raise ForeignBucket(
                f"{name}, line {number}: lists objects of {cells['Bucket']!r}, not of {bucket!r}"
            )
        if cells.get("IsLatest", "true") == "true" and cells.get("IsDeleteMarker", "false") == "false":
            size = cells.get("Size", "")
            yield Listed(unquote_plus(cells["Key"]), int(size) if size.isdigit() else None)


def places_beside(manifest: Path, file: str) -> list[Path]:
    """Where a file of an inventory may lie that was downloaded with its manifest.

    S3 keeps manifests in folders named by their dates, beside the folder `data`.
    """
    name = Path(file).name
    return [manifest.parent / name, manifest.parent / "data" / name, manifest.parent.parent / "data" / name]
