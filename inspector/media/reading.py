"""The one way in which a program reads a file of a stranger: limited, locked in, and its demands judged.

A file that makes ffprobe or ffmpeg want more memory than they may have, or compute for longer, would do so
again: it is rejected. A program that ran out of time without having had the processor is tried again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from inspector.errors import MediaRejected, RejectReason, ToolFailed, ToolTimeout
from inspector.media.opening import BEYOND_MAX_STREAMS
from inspector.media.sandbox import locked_in
from inspector.media.tool import Sink, ToolLimits, never, run_tool
from inspector.settings import Settings

#: What ffmpeg says when it gets no more memory. Where the machine itself has none left, Linux does not say no
#: but kills, and that is tried again.
NO_MEMORY: Final = "Cannot allocate memory"

#: Failures that say nothing about the video: not installed well, not enough memory, gone, ...
NOT_THE_MEDIA: Final = (
    "Error while opening encoder",  # ours are always the same
    "Option not found",
    "Unrecognized option",
    "No such file or directory",
    "No such filter",
    "Permission denied",
    "Resource temporarily unavailable",
    "Too many open files",
)


def read_by_tool(
    path: Path,
    argv: Sequence[str],
    settings: Settings,
    *,
    deadline_s: float,
    cpu_s: float | None = None,
    stall_s: float | None = None,
    sinks: Mapping[str, Sink],
    cancelled: Callable[[], bool] = never,
) -> str:
    """`run_tool` for a program that reads this file. cpu_s: its CPU time; None: the deadline.

    Raises MediaRejected (TOO_DEMANDING), and what `run_tool` raises.
    """
    try:
        return run_tool(
            argv,
            limits=ToolLimits(settings.tool_memory_bytes, cpu_s=cpu_s or deadline_s),
            deadline_s=deadline_s,
            stall_s=stall_s,
            sinks=sinks,
            cancelled=cancelled,
            sandbox=locked_in(path, settings),
        )
    except ToolFailed as exc:
        demand = _demand(exc)
        if demand is None:
            raise
        raise MediaRejected(RejectReason.TOO_DEMANDING, f"{argv[0]} {demand}") from exc


def is_about_media(failure: ToolFailed) -> bool:
    """Whether the program gave up because of the file, so that another attempt would end the same way."""
    gave_up = type(failure) is ToolFailed and failure.returncode is not None and failure.returncode > 0
    return gave_up and not any(words in failure.stderr for words in NOT_THE_MEDIA)


def _demand(failure: ToolFailed) -> str | None:
    """What the program wanted and did not get; None if that is not why it failed."""
    if isinstance(failure, ToolTimeout):
        computed = failure.busy or failure.returncode == -signal.SIGXCPU
        return "computed for too long" if computed else None
    said = failure.stderr
    if type(failure) is ToolFailed and NO_MEMORY in said and BEYOND_MAX_STREAMS not in said:
        return "wanted more memory than it may have"
    return None
