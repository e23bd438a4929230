"""What holding a program costs, in milliseconds per start: `python -m benchmarks.sandbox`.

`true` and `ffprobe -version` are started alone, by `run_tool` without a sandbox, and by `run_tool` within
bubblewrap, in turn, so that all meet the same load. Medians.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

from inspector.media import ToolLimits, run_tool, sandbox_status
from inspector.media.sandbox import bwrap_command
from inspector.settings import load_settings

TIMES: Final = 60
LIMITS: Final = ToolLimits(memory_bytes=4 * 2**30, cpu_s=10)


def alone(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def held(argv: Sequence[str], sandbox: Sequence[str] = ()) -> None:
    run_tool(argv, limits=LIMITS, deadline_s=30, sandbox=sandbox)


def main() -> None:
    status = sandbox_status(load_settings(sandbox="auto"))
    print(f"sandbox: {status.kind} ({status.why}); cgroup: {status.processes_limited}")
    ways: dict[str, Callable[[Sequence[str]], None]] = {
        "alone": alone,
        "run_tool": held,
        "run_tool, bwrap": lambda argv: held(argv, bwrap_command()),
    }
    for argv in (("true",), ("ffprobe", "-version")):
        for way, taken_ms in measure(ways, argv).items():
            print(f"{argv[0]:8} {way:16} {statistics.median(taken_ms):6.1f}")


def measure(ways: dict[str, Callable[[Sequence[str]], None]], argv: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each start, each way in turn."""
    taken_ms: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(TIMES):
        for way, do in ways.items():
            started = time.perf_counter()
            do(argv)
            taken_ms[way].append(1000 * (time.perf_counter() - started))
    return taken_ms


if __name__ == "__main__":
    main()
