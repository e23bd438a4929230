"""Failpoints: nothing happens at them, until a fault is laid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector import failpoints
from tests.services import ROOT

REACH = """
import sys
from pathlib import Path
from inspector import failpoints
failpoints.install(failpoints.folder_of_faults(Path(sys.argv[1])))
failpoints.reach("a-step")
print("passed", flush=True)
"""


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    failpoints.install(None)


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", REACH, str(folder)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_a_step_is_passed_where_no_hook_is_installed() -> None:
    failpoints.reach("a-step")


def test_a_fault_strikes_the_first_who_reaches_its_step_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "a-step").write_text("raise")
    failpoints.install(failpoints.folder_of_faults(tmp_path))
    failpoints.reach("another")
    with pytest.raises(RuntimeError, match="a-step"):
        failpoints.reach("a-step")
    failpoints.reach("a-step")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_is_gone_at_once(tmp_path: Path) -> None:
    (tmp_path / "a-step").write_text("kill")
    process = start(tmp_path)
    said, _ = process.communicate(timeout=30)
    assert (said, process.returncode) == ("", -signal.SIGKILL)


def test_a_stopped_process_goes_on_when_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "a-step").write_text("stop")
    process = start(tmp_path)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=30)
    assert said == "passed\n"
