"""Scratch folders go with their job, or with the next worker."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from inspector.errors import MediaRejected, ScratchFull
from inspector.worker.scratch import remove_orphans, scratch_folder


def test_a_folder_is_private_and_gone_at_the_end_whatever_happens(tmp_path: Path) -> None:

    def fail_in_it(folder: Path) -> None:
        (folder / "video").write_bytes(b"x")
        assert folder.stat().st_mode & 0o077 == 0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path, needed_bytes=1) as folder:
        fail_in_it(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    disk = shutil.disk_usage(tmp_path)
    with pytest.raises(ScratchFull), scratch_folder(tmp_path, needed_bytes=(disk.free + disk.total) // 2):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_no_disk_of_this_size_could_hold_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(MediaRejected), scratch_folder(tmp_path, needed_bytes=2**60):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_this_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ScratchFull), scratch_folder(tmp_path / "file" / "scratch", needed_bytes=0):
        pass


def test_what_a_killed_worker_left_is_removed_and_what_another_uses_is_not(tmp_path: Path) -> None:
    left_over = tmp_path / "job-killed"
    left_over.mkdir()
    (left_over / "video").write_bytes(b"x")
    (tmp_path / "somebody's notes").mkdir()
    with scratch_folder(tmp_path, needed_bytes=0) as mine:
        assert remove_orphans(tmp_path) == 1
        assert mine.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["somebody's notes"]


def test_a_missing_scratch_root_has_no_orphans(tmp_path: Path) -> None:
    assert remove_orphans(tmp_path / "none") == 0


def test_a_folder_whose_maker_was_killed_before_it_was_locked_is_removed_later(tmp_path: Path) -> None:
    forgotten, fresh = tmp_path / ".new-forgotten", tmp_path / ".new-fresh"
    for folder in (forgotten, fresh):
        folder.mkdir()
    os.utime(forgotten, (0, 0))
    assert remove_orphans(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [fresh]
