"""The board's feeder: a thread that hears of changes and, as its safety net, polls.

It is watched: whoever uses the board calls `ensure`, which replaces a thread that died or that stopped
answering (a connection that hangs for ever). While no feeder works the board answers from the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import structlog

from inspector.api.board import StatusBoard
from inspector.api.ports import ChangesFactory, ChangeSource
from inspector.errors import Unavailable
from inspector.metrics import FEEDER_RESTARTS

POLL_S: Final = 2.0  # well below the board's greatest age, so that one slow poll costs no trust
TICK_S: Final = 0.5  # longest wait for changes: how fast the feeder stops
PAUSE_S: Final = 1.0  # after a failure
STALL_S: Final = 30.0  # longer than the database's connect timeout and a slow poll

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FeederState:
    """How the feeder is doing. live: it hears changes; problem: why not, as far as is known."""

    live: bool
    restarts: int
    problem: str | None


class _Run:
    """One life of the feeder's thread. A run that was replaced changes nothing more."""

    def __init__(self, now: float) -> None:
        self.stop = threading.Event()
        self.beat_at = now
        self.thread: threading.Thread | None = None


class Feeder:
    """Keeps a StatusBoard true. `start` after the fork, `stop` at the end; thread-safe."""

    def __init__(
        self,
        board: StatusBoard,
        changes_factory: ChangesFactory,
        *,
        poll_s: float = POLL_S,
        tick_s: float = TICK_S,
        pause_s: float = PAUSE_S,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heard = threading.Event()  # set whenever something has changed; whoever waits for it clears it
        self._board = board
        self._changes_factory = changes_factory
        self._poll_s = poll_s
        self._tick_s = tick_s
        self._pause_s = pause_s
        self._stall_s = stall_s
        self._clock = clock
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._restarts = 0
        self._problem: str | None = "not started"

    @property
    def state(self) -> FeederState:
        return FeederState(self._board.trusted, self._restarts, self._problem)

    def start(self) -> None:
        """Start the thread, once."""
        with self._lock:
            if self._run is None:
                self._launch()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread and wait for it."""
        with self._lock:
            run, self._run = self._run, None
        if run is not None and run.thread is not None:
            run.stop.set()
            run.thread.join(timeout_s)
        self._board.distrust()

    def ensure(self) -> None:
        """Replace the thread if it died or hangs. Cheap: meant for every request."""
        run = self._run
        if run is None or run.thread is None or self._works(run):
            return
        with self._lock:
            if self._run is not run:
                return
            run.stop.set()
            self._restarts += 1
            FEEDER_RESTARTS.inc()
            log.warning("feeder_restarted", died=not run.thread.is_alive())
            self._launch()

    def _works(self, run: _Run) -> bool:
        silent_s = self._clock() - run.beat_at
        alive = run.thread is not None and run.thread.is_alive()
        return silent_s <= (self._stall_s if alive else self._pause_s)

    def _launch(self) -> None:
        run = _Run(self._clock())
        run.thread = threading.Thread(target=self._live, args=(run,), name="board-feeder", daemon=True)
        self._run = run
        run.thread.start()

    def _live(self, run: _Run) -> None:
        """Feed until asked to stop, whatever happens."""
        while not run.stop.is_set():
            try:
                with closing(self._changes_factory()) as changes:
                    self._feed(run, changes)
            except Unavailable as exc:
                self._fail(run, str(exc))
            except Exception as exc:
                log.exception("feeder_failed")
                self._fail(run, f"{type(exc).__name__}: {exc}")
            run.stop.wait(self._pause_s)

    def _fail(self, run: _Run, problem: str) -> None:
        run.beat_at = self._clock()
        if run.stop.is_set():
            return
        if self._problem is None:
            log.warning("feeder_interrupted", problem=problem)
        self._problem = problem
        self._board.distrust()

    def _feed(self, run: _Run, changes: ChangeSource) -> None:
        """Hear first, trust then: what changes between the two is heard."""
        changes.wait(0.0)
        if run.stop.is_set():
            return
        self._board.begin()
        self._problem = None
        poll_at = self._clock() + self._poll_s
        log.info("feeder_listens")
        while not run.stop.is_set():
            run.beat_at = self._clock()
            heard = changes.wait(self._tick_s)
            self._board.apply(heard)
            if heard:
                self.heard.set()
            if self._clock() >= poll_at:
                self._board.verify()
                poll_at = self._clock() + self._poll_s
