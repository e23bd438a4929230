"""Inventories in Parquet, as S3 writes them, and as a stranger might."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from inspector.aws.inventory import Listed, Manifest, listed_in
from inspector.errors import ForeignBucket, UnreadableInventory

ROWS: dict[str, list[Any]] = {
    "bucket": ["videos"] * 5,
    "key": ["a b+%.mp4", "old.mp4", "gone.mp4", "ä/ö.mp4", "sizeless.mp4"],
    "version_id": ["v"] * 5,
    "is_latest": [True, False, True, None, True],
    "is_delete_marker": [False, False, True, None, False],
    "size": [7, 7, None, 9, None],
}


def write(folder: Path, columns: dict[str, list[Any]], **options: Any) -> Path:
    path = folder / "list"
    parquet.write_table(pa.table(columns), path, **options)
    return path


def read(path: Path) -> list[Listed]:
    return list(listed_in(path, Manifest("videos", "lists", (), ("list",), "Parquet"), "list"))


def test_present_objects_are_listed_in_their_order(tmp_path: Path) -> None:
    found = read(write(tmp_path, ROWS))
    assert found == [Listed("a b+%.mp4", 7), Listed("ä/ö.mp4", 9), Listed("sizeless.mp4", None)]


def test_a_bucket_without_versions_has_fewer_columns(tmp_path: Path) -> None:
    keys = [f"{n}.mp4" for n in range(3000)]
    path = write(tmp_path, {"bucket": ["videos"] * 3000, "key": keys})
    assert [listed.key for listed in read(path)] == keys


def test_a_file_is_read_a_piece_at_a_time(tmp_path: Path) -> None:
    keys = [f"{n}" for n in range(9000)]
    path = write(tmp_path, {"bucket": ["videos"] * 9000, "key": keys}, row_group_size=1000)
    whole, half = path.read_bytes(), path.stat().st_size // 2
    path.write_bytes(whole[:half] + bytes(500) + whole[half + 500 :])
    listed = listed_in(path, Manifest("videos", "lists", (), ("list",), "Parquet"), "list")
    assert [each.key for each in islice(listed, 1000)] == keys[:1000], "what comes later was not looked at"
    with pytest.raises(UnreadableInventory, match="no Parquet file"):
        list(listed)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"key": ["a"]}, "row 1: a bucket and a key"),
        ({"bucket": ["videos"]}, "row 1: a bucket and a key"),
        ({"bucket": ["videos"] * 2, "key": ["a", None]}, "row 2: a bucket and a key"),
        ({"bucket": ["videos"], "key": [b"\xff"]}, "a bucket and a key"),
        ({"bucket": ["videos"], "key": [["a"]]}, "a bucket and a key"),
        ({"bucket": ["videos"], "key": ["a"], "is_latest": ["false"]}, "true or false"),
    ],
    ids=str,
)
def test_rows_of_another_kind_are_refused(tmp_path: Path, columns: dict[str, list[Any]], words: str) -> None:
    path = write(tmp_path, columns)
    with pytest.raises(UnreadableInventory, match=words):
        read(path)


def test_objects_of_another_bucket_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ForeignBucket, match="row 1: lists objects of 'archive'"):
        read(write(tmp_path, {"bucket": ["archive"], "key": ["a"]}))


def test_a_file_that_is_damaged_is_refused_wherever_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    whole = path.read_bytes()
    for content in (b"", b"bucket,key\n", whole[:-9], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(UnreadableInventory, match="no Parquet file"):
            read(path)


def test_without_pyarrow_it_is_said_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnreadableInventory, match=r"pip install .*\[inventory\].* as CSV"):
        read(path)
