"""The note of a running stack holds as long as that stack lives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inspector.stack import announce_stack, crash_looping, join_stack
from tests.services import settings_for_test


def test_others_join_the_stack_and_hear_of_its_crash_loops(tmp_path: Path) -> None:
    announce_stack(settings_for_test(data_dir=tmp_path, port=5999), ["worker-0"])
    beside = settings_for_test(data_dir=tmp_path)
    assert crash_looping(beside) == ["worker-0"]
    assert join_stack(beside).port == 5999


def test_what_a_killed_stack_has_left_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    monkeypatch.setattr("inspector.stack.note.os.getpid", lambda: dead.pid)
    announce_stack(settings_for_test(data_dir=tmp_path, port=5999), ["worker-0"])
    beside = settings_for_test(data_dir=tmp_path)
    assert crash_looping(beside) == []
    assert join_stack(beside).port != 5999


@pytest.mark.parametrize("said", [None, "", "{}", '{"pid": "x"}', '{"pid": 1}'])
def test_no_note_or_a_broken_one_says_nothing(tmp_path: Path, said: str | None) -> None:
    if said is not None:
        (tmp_path / "running.json").write_text(said)
    beside = settings_for_test(data_dir=tmp_path)
    assert crash_looping(beside) == []
    assert join_stack(beside) == beside
