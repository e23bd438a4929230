"""How a process stops: a flag that a signal handler may raise, and an end that nothing can hold up."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Final, NoReturn

EXIT_S: Final = 1.0  # for what is flushed and closed at the end of a process


class StopFlag:
    """Like threading.Event, but may be set by a signal handler: Event's lock could deadlock there."""

    def __init__(self) -> None:
        self._set = False
        self._times = 0
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()  # documented as reentrant

    def set(self) -> None:
        """Raise the flag, and wake everyone who waits for it."""
        self._set = True
        self._times += 1
        self._wakeups.put(None)

    def is_set(self) -> bool:
        return self._set

    @property
    def times(self) -> int:
        """How often it was raised: who raises it again does not want to wait."""
        return self._times

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the flag is raised, at most so long. Returns whether it is."""
        if not self._set:
            with suppress(queue.Empty):
                self._wakeups.get(timeout=timeout_s)
                self._wakeups.put(None)  # for the next one who waits
        return self._set


def stop_on_signals(stop: StopFlag) -> None:
    """Let SIGTERM and SIGINT raise the flag, and do nothing else. Only the main thread may call this."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def exit_at_once(code: int) -> NoReturn:
    """End the process as `sys.exit` does, but within `EXIT_S`: the interpreter waits for threads of pools,
    and one of them may wait for a connection that has gone silent.
    """

    def end() -> None:
        time.sleep(EXIT_S)
        os._exit(code)

    threading.Thread(target=end, name="exit", daemon=True).start()
    sys.exit(code)
