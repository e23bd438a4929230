"""Lists of objects that somebody else made: S3 Inventory, by its manifest, or any CSV.

Sources: Amazon S3 User Guide, "Amazon S3 Inventory list" (columns; in CSV keys are URL-encoded, and there is
no header) and "Locating your inventory list" (manifest.json). `parquet` reads Parquet.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import unquote_plus

from inspector.aws import parquet
from inspector.errors import ForeignBucket, UnreadableInventory

#: Of a CSV without a manifest; what follows is not looked at.
DEFAULT_COLUMNS: Final = ("Bucket", "Key")
_CSV: Final = "CSV"
_PARQUET: Final = "Parquet"
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as the list has it. size_bytes: None if the list does not tell."""

    key: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What belongs to an inventory. bucket: whose objects are listed.  stored_in: the bucket of its files.

    columns: of CSV; Parquet names its own.
    """

    bucket: str
    stored_in: str
    columns: tuple[str, ...]
    files: tuple[str, ...]
    file_format: str = _CSV


def parse_manifest(text: bytes) -> Manifest:
    """Raises UnreadableInventory."""
    try:
        said = json.loads(text)
        if said["fileFormat"] not in (_CSV, _PARQUET):
            raise UnreadableInventory(
                f"the inventory is in {said['fileFormat']}: let S3 write it as CSV or Parquet (its `Output "
                "format`; the next one comes within a day or a week)"
            )
        return Manifest(
            bucket=said["sourceBucket"],
            stored_in=said["destinationBucket"].rpartition(":")[2],
            columns=tuple(column.strip() for column in said["fileSchema"].split(",")),
            files=tuple(file["key"] for file in said["files"]),
            file_format=said["fileFormat"],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise UnreadableInventory(f"this is no manifest of an S3 Inventory: {exc!r}") from exc


def listed_in(path: Path, manifest: Manifest, name: str) -> Generator[Listed]:
    """The present objects of one file, in its order; old versions and delete markers left out.

    name: of the file, for messages.  Raises UnreadableInventory, ForeignBucket.
    """
    if manifest.file_format == _CSV:
        with _open_list(path) as lines:
            yield from parse_list(lines, manifest.columns, manifest.bucket, name)
        return
    for number, row in enumerate(parquet.read_rows(path, name), start=1):
        listed = _of_row(row, manifest.bucket, f"{name}, row {number}")
        if listed is not None:
            yield listed


def parse_list(lines: Iterable[str], columns: Sequence[str], bucket: str, name: str) -> Iterator[Listed]:
    """The same of a CSV file."""
    try:
        yield from _objects(csv.reader(lines), columns, bucket, name)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as exc:
        raise UnreadableInventory(f"{name} is no CSV file: {exc}") from exc


def _open_list(path: Path) -> TextIO:
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
        _check_bucket(cells["Bucket"], bucket, f"{name}, line {number}")
        if cells.get("IsLatest", "true") == "true" and cells.get("IsDeleteMarker", "false") == "false":
            size = cells.get("Size", "")
            yield Listed(unquote_plus(cells["Key"]), int(size) if size.isdigit() else None)


def _of_row(row: dict[str, Any], bucket: str, place: str) -> Listed | None:
    """What a row of Parquet says; None of what is no present object."""
    latest, marker, size = row.get("is_latest"), row.get("is_delete_marker"), row.get("size")
    if not isinstance(row.get("bucket"), str) or not isinstance(row.get("key"), str):
        raise UnreadableInventory(f"{place}: a bucket and a key are wanted, as text")
    if not isinstance(latest, bool | None) or not isinstance(marker, bool | None):
        raise UnreadableInventory(f"{place}: is_latest and is_delete_marker say true or false")
    _check_bucket(row["bucket"], bucket, place)
    if latest is False or marker:
        return None
    return Listed(row["key"], size if isinstance(size, int) and size >= 0 else None)


def _check_bucket(listed: str, bucket: str, place: str) -> None:
    if listed != bucket:
        raise ForeignBucket(f"{place}: lists objects of {listed!r}, not of {bucket!r}")


def places_beside(manifest: Path, file: str) -> list[Path]:
    """Where a file of an inventory may lie that was downloaded with its manifest.

    S3 keeps manifests in folders named by their dates, beside the folder `data`.
    """
    name = Path(file).name
    return [manifest.parent / name, manifest.parent / "data" / name, manifest.parent.parent / "data" / name]
