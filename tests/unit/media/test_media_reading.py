"""What a failure of ffprobe or ffmpeg says about the file."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from inspector.errors import MediaRejected, RejectReason, ToolFailed, ToolKilled, ToolStalled, ToolTimeout
from inspector.media import reading
from inspector.media.reading import is_about_media, read_by_tool
from inspector.settings import load_settings

NO_MEMORY = "file:x.mov: Cannot allocate memory"


def outcome(failure: ToolFailed, monkeypatch: pytest.MonkeyPatch) -> Exception:
    """What is raised when the program fails so."""

    def fail(*_: Any, **__: Any) -> str:
        raise failure

    monkeypatch.setattr(reading, "run_tool", fail)
    with pytest.raises((MediaRejected, ToolFailed)) as caught:
        read_by_tool(Path("x"), ["ffprobe"], load_settings(sandbox="none"), deadline_s=1, sinks={})
    return caught.value


@pytest.mark.parametrize(
    "failure",
    [
        ToolFailed("", returncode=1, stderr=NO_MEMORY),
        ToolTimeout("used up its CPU time", returncode=-signal.SIGXCPU),
        ToolTimeout("took longer", busy=True),
        ToolStalled("made no progress", busy=True),
    ],
)
def test_a_file_that_demands_too_much_is_rejected(
    failure: ToolFailed, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = outcome(failure, monkeypatch)
    assert isinstance(found, MediaRejected)
    assert found.reason is RejectReason.TOO_DEMANDING


@pytest.mark.parametrize(
    "failure",
    [
        ToolTimeout("took longer"),
        ToolStalled("made no progress"),
        ToolKilled("by the OOM killer", returncode=-signal.SIGKILL, stderr=NO_MEMORY),
        ToolFailed("", returncode=1, stderr=f"Number of streams exceeds max_streams\n{NO_MEMORY}"),
        ToolFailed("", returncode=1, stderr="moov atom not found"),
    ],
)
def test_anything_else_is_left_to_the_caller(failure: ToolFailed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(failure, monkeypatch) is failure


def test_what_a_program_says_of_this_machine_is_not_about_the_file() -> None:
    assert is_about_media(ToolFailed("", returncode=1, stderr="Input/output error"))
    assert not is_about_media(ToolFailed("", returncode=1, stderr="x.so: Permission denied"))
    assert not is_about_media(ToolFailed("the sandbox could not be set up"))
    assert not is_about_media(ToolKilled("", returncode=1))
