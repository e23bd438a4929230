"""Large blocks leave the process when they are freed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import numpy as np
from inspector.worker.memory import LARGE_BYTES, give_back_large_blocks
assert give_back_large_blocks()
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
for _ in range(3):  # glibc's own limit would have risen by now
    large = np.ones(8 * LARGE_BYTES, np.uint8)
    small = bytearray(1000)
    before = resident()
    del large
    assert before - resident() > 7 * LARGE_BYTES, before - resident()
"""


def test_what_was_freed_is_not_kept() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
