"""Scratch folders: private, deleted in every case, and found again when their worker was killed.

Each folder is locked for as long as its owner lives; the kernel drops the lock even after kill -9. A folder
that nobody holds is left over, and the next worker that starts removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from inspector.errors import MediaRejected, RejectReason, ScratchFull

log = structlog.get_logger(__name__)

_PREFIX: Final = "job-"
_UNLOCKED: Final = ".new-"  # until it is locked, nobody may take it for left over
_LOCKED_WITHIN_S: Final = 60.0  # of its making, unless its maker was killed


@contextmanager
def scratch_folder(root: Path, *, needed_bytes: int) -> Iterator[Path]:
    """A new, private folder with a random name, gone at the end with all that is in it.

    Raises ScratchFull unless so many bytes are free and a folder can be made; MediaRejected if the disk could
    never hold them.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(root)
        unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED, dir=root))
    except OSError as exc:
        raise ScratchFull(f"no folder can be made in {root}: {exc.strerror}") from exc
    if needed_bytes > disk.free:
        unlocked.rmdir()
        if needed_bytes > disk.total:
            raise MediaRejected(RejectReason.TOO_LARGE_BYTES, f"the scratch disk holds {disk.total} bytes")
        raise ScratchFull(f"{disk.free} bytes are free in {root}, {needed_bytes} are needed")
    lock = os.open(unlocked, os.O_RDONLY)
    folder = unlocked
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = unlocked.rename(root / (_PREFIX + unlocked.name.removeprefix(_UNLOCKED)))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def free_bytes(root: Path) -> float:
    """Free space of the disk where the folder is, or will be made."""
    return shutil.disk_usage(next(each for each in (root, *root.parents) if each.exists())).free


def remove_orphans(root: Path) -> int:
    """Remove the folders of workers that are dead. Returns how many; what cannot be removed stays."""
    removed = 0
    for folder in (*root.glob(f"{_PREFIX}*"), *filter(_is_forgotten, root.glob(f"{_UNLOCKED}*"))):
        if _is_orphan(folder):
            shutil.rmtree(folder, ignore_errors=True)
            log.info("scratch_orphan_removed", folder=folder.name)
            removed += 1
    return removed


def _is_forgotten(folder: Path) -> bool:
    """Whether a new folder is too old for its owner to be about to lock it."""
    try:
        return time.time() - folder.stat().st_mtime > _LOCKED_WITHIN_S
    except OSError:
        return False


def _is_orphan(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return False  # its owner has just removed it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
