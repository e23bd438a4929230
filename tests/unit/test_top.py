"""What `inspector top` makes of the API's answers."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from inspector.cli.top import line, screen

SYSTEM: dict[str, Any] = {
    "jobs": {"queued": 12, "processing": 2, "failed": 1, "done": 40},
    "oldest_queued_s": 340.0,
    "workers": [
        {
            "host": "h",
            "pid": 7,
            "doing": "a.mp4",
            "heartbeat_age_s": 3.2,
            "alive": True,
            "queue_reached": False,
        },
        {"host": "h", "pid": 8, "doing": None, "heartbeat_age_s": 1.0, "alive": True, "queue_reached": True},
        {
            "host": "h",
            "pid": 9,
            "doing": "c.mp4",
            "heartbeat_age_s": 900,
            "alive": False,
            "queue_reached": True,
        },
    ],
    "queue": {"waiting": 5, "in_flight": 0, "dead": 4, "error": None},
    "sweep": {"age_s": 3.0, "blocked": None},
    "throughput": {"done": 120, "rejected": 2, "failed": 1, "median_s": 2.4},
}
VIDEOS: list[dict[str, Any]] = [
    {"key": "a.mp4", "progress": 0.45, "eta_s": 7300.0},
    {"key": "\x1b[31mb.mp4", "progress": None, "eta_s": None},
]


def printed(system: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(screen(system, VIDEOS))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_line_tells_all() -> None:
    assert line(SYSTEM, VIDEOS) == (
        "queued 12 (the oldest for 6 min); in work 2; "
        "within the hour: done 120, 2 s each, rejected 2, failed 1; "
        "failed 1; messages 5; dead letters 4; workers 2; a.mp4 45 % 2 h left; \\x1b[31mb.mp4 0 %"
    )


def test_a_screen_shows_each_worker_beside_what_it_does() -> None:
    rows = [row.split() for row in printed(SYSTEM).splitlines()]
    (busy,) = [row for row in rows if row[:2] == ["h", "7"]]
    assert (busy[2:4], busy[4:6]) == (["(no", "queue)"], ["3", "s"])
    assert "a.mp4" in busy
    assert busy[-5:] == ["45", "%", "2", "h", "left"]
    assert [row[-1] for row in rows if row[:2] == ["h", "8"]] == ["–"]
    assert not [row for row in rows if row[:2] == ["h", "9"]], "dead workers work at nothing"
    assert [row for row in rows if row[:1] == ["\\x1b[31mb.mp4"]], (
        "claimed, and no heartbeat has told of it yet"
    )


def test_a_screen_says_that_nobody_works_and_what_is_blocked() -> None:
    text = printed({**SYSTEM, "workers": [], "sweep": {"age_s": 3.0, "blocked": "9 of 10 are gone"}})
    assert "No worker is alive" in text
    assert "9 of 10 are gone" in text


def test_what_cannot_be_asked_is_left_open() -> None:
    silent = {"waiting": None, "in_flight": None, "dead": None, "error": "SQS is away"}
    assert "messages ?; dead letters ?" in line({**SYSTEM, "queue": silent}, [])
