"""Rules that every test keeps: no thread, no child process is left behind, nothing is logged as an error.

`@pytest.mark.expects_error_log` lifts the last one. Sockets reach loopback and unix sockets only.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import pytest
import pytest_socket
import structlog

T = TypeVar("T")

LEAVE_TIMEOUT_S: Final = 5.0  # threads and children that are about to end may do so


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "expects_error_log: the test may log at level ERROR")
    # A shell makes its background jobs ignore it, and what they start would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, endpoint or credential of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("INSPECTOR_", "AWS_")) or name in ("DATABASE_URL", "LOCALSTACK_HOST"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSPECTOR_CONFIG", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread or a child process behind."""
    # Services that live as long as the session must be up before the count.
    for name in ("postgres_url", "template_database", "ministack", "localstack", "aws_endpoint"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    threads, children = set(threading.enumerate()), _children()
    yield
    new_threads = _after_a_while(lambda: {t for t in threading.enumerate() if t not in threads})
    new_children = _after_a_while(lambda: _children() - children)
    if new_threads:
        pytest.fail(f"threads left behind: {sorted(t.name for t in new_threads)}")
    if new_children:
        pytest.fail(f"child processes left behind: {sorted(map(_command, new_children))}")


@pytest.fixture(autouse=True)
def no_error_logs(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test that logs at ERROR or above, by structlog or logging, unless it says it expects that."""
    with structlog.testing.capture_logs() as entries:
        yield
    if request.node.get_closest_marker("expects_error_log"):
        return
    loud = [str(e) for e in entries if e["log_level"] in ("error", "critical")]
    loud += [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    if loud:
        pytest.fail("logged as an error: " + "; ".join(loud))


def _after_a_while(find: Callable[[], set[T]]) -> set[T]:
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _children() -> set[int]:
    """Process ids of our children, those of other threads included."""
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # that thread has ended meanwhile
            found.update(map(int, listing.read_text().split()))
    return found


def _command(pid: int) -> str:
    try:
        return f"{pid} " + Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return str(pid)
