"""How full the queues are: SQS is not asked for everybody who looks, nor waited for while it is silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from inspector.aws.queue import QueueDepths
from inspector.errors import QueueUnavailable

DEPTHS_AGE_S: Final = 5.0  # however many people look, SQS is asked once in this time
PATIENCE_S: Final = 1.0


class Recently:
    """Asks at most every `max_age_s`, one caller at a time; remembers a failure just as long. Thread-safe."""

    def __init__(self, ask: Callable[[], QueueDepths], max_age_s: float) -> None:
        self._ask = ask
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._found: QueueDepths | QueueUnavailable = QueueUnavailable("not asked yet")

    def get(self) -> QueueDepths:
        """Raises QueueUnavailable."""
        with self._lock:
            if time.monotonic() - self._asked_at > self._max_age_s:
                try:
                    self._found = self._ask()
                except QueueUnavailable as exc:
                    self._found = exc
                self._asked_at = time.monotonic()
            found = self._found
        if isinstance(found, QueueUnavailable):
            raise QueueUnavailable(str(found))
        return found


class Patience:
    """Asks in a thread of its own, and waits for it a moment only: a silent service holds nobody up."""

    def __init__(self, ask: Callable[[], QueueDepths], wait_s: float = PATIENCE_S) -> None:
        self._ask = ask
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._found: QueueDepths | None = None

    def get(self) -> QueueDepths | None:
        """What was answered in time; None else. At most one question is open."""
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._found = None
                self._asking = threading.Thread(target=self._run, name="ask for depths", daemon=True)
                self._asking.start()
            asking = self._asking
        asking.join(self._wait_s)
        return None if asking.is_alive() else self._found

    def _run(self) -> None:
        try:
            self._found = self._ask()
        except QueueUnavailable:
            self._found = None
