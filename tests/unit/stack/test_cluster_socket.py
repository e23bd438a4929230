"""Where PostgreSQL's socket lies: its path has to be short, and the same for all who look for it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from inspector.stack.cluster import PORT, Cluster

LONGEST = 107  # bytes of a socket's path; source: unix(7)


@pytest.mark.parametrize("folder", ["data", "a folder of somebody who likes to explain/" * 4])
def test_the_path_of_the_socket_is_short_whatever_folders_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    before = Cluster(tmp_path / folder).socket_dir
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    assert Cluster(tmp_path / folder).socket_dir == before
    assert len(os.fsencode(before / f".s.PGSQL.{PORT}")) <= LONGEST
