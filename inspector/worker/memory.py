"""What a worker has done with goes back to the system at once: its memory follows the work at hand."""

from __future__ import annotations

import ctypes
from typing import Final

#: Blocks from this size on get pages of their own, which leave when they are freed. glibc alone raises its
#: limit with the largest block freed, up to 32 MB, and then keeps such blocks in a heap that seldom shrinks.
LARGE_BYTES: Final = 1 << 20
_M_MMAP_THRESHOLD: Final = -3  # malloc.h


def give_back_large_blocks() -> bool:
    """Fix the limit for this process. Returns whether the C library knows of such a thing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES) == 1
