"""Inventories in Parquet, a piece at a time. pyarrow reads them: the extra `inventory`.

Source: Amazon S3 User Guide, "Amazon S3 Inventory list": columns are named in lower case, and keys are not
URL-encoded as in CSV. Not ORC: pyarrow's reader of that dies of damaged files, and takes us with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from inspector.errors import UnreadableInventory

_COLUMNS: Final = ("bucket", "key", "size", "is_latest", "is_delete_marker")
_ROWS: Final = 1000  # in memory at a time


def read_rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file in their order: what it has of our columns, of whatever types.

    name: of the file, for messages.  Raises UnreadableInventory.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as exc:
        raise UnreadableInventory(
            "the inventory is in Parquet, which pyarrow reads: type `pip install "
            "'video-inspector[inventory]'`, or let S3 write it as CSV"
        ) from exc
    try:
        with parquet.ParquetFile(path) as file:
            columns = [column for column in _COLUMNS if column in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError, ValueError) as exc:
        raise UnreadableInventory(f"{name} is no Parquet file: {exc}") from exc
