"""`inspector top` beside a running stack: in a pipe, and in a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.machine import COMMAND, Machine
from tests.services import wait_until


def test_a_pipe_gets_a_line_for_each_look(house: Machine) -> None:
    (line,) = house.run("top", "--once").stdout.splitlines()
    assert line.startswith("queued 0; in work 0; within the hour: ")
    assert line.endswith("dead letters 0; workers 2")
    with house.running("top", "--every", "0.2") as running:
        wait_until(lambda: running.output.count("workers 2") >= 3, running.process)
        assert running.stop(signal.SIGTERM) == 0


def test_it_shows_what_is_inspected_and_how_far(house: Machine, make_long_film: Callable[[], Path]) -> None:
    with house.running("top", "--every", "0.2") as running:
        house.s3.put("top/long.mp4", make_long_film())
        wait_until(lambda: "top/long.mp4 " in running.output, running.process)
    house.web.wait_for("top/long.mp4", "done")


def test_a_terminal_gets_a_screen(house: Machine) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "top", "--every", "0.2"],
        env={**house.env, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"},
        cwd=house.folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as process:
        seen = bytearray()

        def shows_workers() -> bool:
            if select.select([ours], [], [], 0.1)[0]:
                seen.extend(os.read(ours, 65536))
            return b"heartbeat" in seen and b"queued 0" in seen

        wait_until(shows_workers)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: shows_workers() and process.poll() is not None)
        os.close(theirs)  # not before: there would be nothing to read any more
        os.close(ours)
        assert process.returncode == 0
        assert b"\x1b[?1049l" in seen, "the screen that was there before is shown again"


def test_without_a_web_server_it_says_so(machine: Machine) -> None:
    for options in ((), ("--once",)):
        assert "is `inspector up` running?" in machine.refuses("top", *options)
