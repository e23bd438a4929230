"""Named steps at which tests let things go wrong. Nothing happens at them unless a hook is installed.

`folder_of_faults` is the hook of the chaos run: a file in a folder that both sides know, called like a step,
strikes the first process that reaches the step, once. What it says is what happens:

    kill    the process is gone, as after `kill -9`
    stop    the process stands still until it is told to go on, as after `kill -STOP`
    raise   a bug: an error that nobody expects
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

Hook = Callable[[str], None]

_hook: Hook | None = None


def reach(step: str) -> None:
    """Pass a named step."""
    if _hook is not None:
        _hook(step)


def install(hook: Hook | None) -> None:
    """Let `hook` be called, with its name, at every step from now on; None: nothing happens any more."""
    global _hook  # one for the process, as signal handlers are
    _hook = hook


def folder_of_faults(folder: Path) -> Hook:
    """Faults that are laid as files into a folder; each strikes once."""

    def strike(step: str) -> None:
        taken = folder / f".{step}.{os.getpid()}"
        try:
            (folder / step).rename(taken)  # of several processes one gets it
        except FileNotFoundError:
            return
        fault = taken.read_text()
        taken.unlink()
        if fault == "raise":
            raise RuntimeError(f"failpoint {step}")
        os.kill(os.getpid(), signal.SIGSTOP if fault == "stop" else signal.SIGKILL)

    return strike
