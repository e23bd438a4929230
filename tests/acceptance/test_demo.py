"""`inspector demo`: what a visitor types first."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.acceptance.machine import Machine
from tests.services import wait_until

PAIRS = [
    ("film.mp4", "film_edited.mp4", "duplicate"),
    ("film.mp4", "film_clip.mp4", "contained"),
    ("film_edited.mp4", "film_clip.mp4", "contained"),
]


def test_it_finds_all_pairs_whatever_the_settings_say_and_leaves_nothing(
    machine: Machine, tmp_path: Path
) -> None:
    strange = {
        "INSPECTOR_KEY_PREFIX": "2026/",
        "INSPECTOR_BUCKET": "elsewhere",
        "INSPECTOR_HOST": "0.0.0.0",  # noqa: S104
        "INSPECTOR_TOKEN": "a secret of 16 characters",
        "INSPECTOR_MAX_DURATION_S": "1",
        "INSPECTOR_SCRATCH_DIR": str(machine.folder / "mine"),
        "DATABASE_URL": "postgresql://nobody@localhost:1/nothing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "TMPDIR": str(tmp_path),
    }
    done = machine.run("demo", env=strange)
    rows = [line.split() for line in done.stdout.splitlines()]
    for a, b, verdict in PAIRS:
        for here, there in ((a, b), (b, a)):
            assert any(row[:1] == [here] and there in row and verdict in row for row in rows), done.stdout
    assert not any("other_film.mp4" in row[1:] for row in rows)
    assert machine.processes() == {}
    assert list(tmp_path.iterdir()) == []
    assert not machine.data_dir.exists()


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    with machine.running("demo", TMPDIR=str(tmp_path)) as demo:
        wait_until(lambda: list(tmp_path.glob("*/film.mp4")), demo.process)
        assert demo.stop(signal.SIGINT) == 1
        assert demo.said.splitlines()[-1].startswith("inspector: ")
    assert list(tmp_path.iterdir()) == []
