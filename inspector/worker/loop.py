"""A loop: one iteration, repeated in a thread until stopped. An outage makes it pause, a bug ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from inspector.errors import Unavailable

log = structlog.get_logger(__name__)


class Loop:
    """Repeats `run_once`, which returns the seconds to wait before the next time.

    Unavailable is waited out, with growing, jittered pauses. Any other error ends the thread: whoever watches
    `alive` must then take the process down, because part of its work is not done any more.
    """

    def __init__(self, name: str, run_once: Callable[[], float], stop: threading.Event) -> None:
        self.name = name
        self._run_once = run_once
        self._stop = stop
        self._turn_began: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def turn_s(self) -> float:
        """For how long it has been at the present turn; 0 while it pauses."""
        began = self._turn_began
        return 0.0 if began is None else time.monotonic() - began

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end. Returns whether it did."""
        self._thread.join(timeout_s)
        return not self.alive

    def _run(self) -> None:
        patiently = waiting_out_outages(self.name, self._stop)
        try:
            while not self._stop.is_set():
                self._stop.wait(patiently(self._take_turn))
        except Unavailable as exc:
            log.info("loop_stopped_in_outage", loop=self.name, error=str(exc))
        except Exception:
            log.exception("loop_died", loop=self.name)

    def _take_turn(self) -> float:
        self._turn_began = time.monotonic()
        try:
            return self._run_once()
        finally:
            self._turn_began = None


def waiting_out_outages(name: str, stop: threading.Event) -> Retrying:
    """Repeats a call while it raises Unavailable, until `stop` is set; then that error is raised."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("service_unavailable", loop=name, error=str(error), attempt=state.attempt_number)

    return Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=0.5, max=30),
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=say,
        reraise=True,
    )
