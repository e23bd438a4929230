"""What was seen and heard, and the tokens it is found by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.model.arrays import ByteArray, FloatArray, HashArray, IntArray, SoundArray
from inspector.model.versions import ALGORITHM

#: Of copies with equal tokens 99 in 100 differ in no more of their checked bits, of unrelated contents 12 to
#: 46, by kind.
MOST_CHECKED_BITS: Final = 10


class View(IntEnum):
    """What part of a picture a hash shows: all of it, its middle in portrait (or landscape) shape, or a
    picture within the picture.
    """

    WHOLE = 0
    CENTRE = 1
    INSET = 2


class Library(IntEnum):
    """Contents of one library are never candidates for those of the other."""

    BUCKET = 0
    SCAN = 1


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What was seen and heard in a content; all that matching needs.

    cuts_s: (c,) presentation time of the first frame of each new shot.
    frame_times_s, frame_hashes, frame_novelty: (f,) sampled frames; the 64-bit hash of each, and how much it
    differs from the sampled frame before it, 0..1 (float32).
    motion_hashes: (f,) the same hash of what changed at each sampled frame within a second; 0: nothing did.
    sound_times_s, sound_hashes, sound_weight: (a,) audio sub-fingerprints; 32 bits each, and how much each
    says, 0..1 (float32; silence and steady noise say nothing).
    view_frames, view_kinds, view_hashes, view_motion: (v,) parts of hashed frames, by kind, then frame: the
    index of the frame (int32), which part (`View`, uint8; never WHOLE), and its hashes as of whole frames.
    """

    duration_s: float
    cuts_s: FloatArray
    frame_times_s: FloatArray
    frame_hashes: HashArray
    frame_novelty: NDArray[np.float32]
    motion_hashes: HashArray
    sound_times_s: FloatArray
    sound_hashes: SoundArray
    sound_weight: NDArray[np.float32]
    view_frames: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    view_kinds: ByteArray = field(default_factory=lambda: np.zeros(0, np.uint8))
    view_hashes: HashArray = field(default_factory=lambda: np.zeros(0, np.uint64))
    view_motion: HashArray = field(default_factory=lambda: np.zeros(0, np.uint64))
    truncated: bool = False
    algorithm: int = ALGORITHM


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Tokens for the inverted index; (n,) each.

    tokens: int64, positive and below 2**31.  times_ms: int64, where in the content.  checks: uint32, further
    bits; where tokens are equal, at most `MOST_CHECKED_BITS` of these may differ.
    """

    tokens: IntArray
    times_ms: IntArray
    checks: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Postings:
    """Where the query's tokens occur in other contents; one row an occurrence, all arrays (n,) int64.

    query_times_ms: where the token stands in the query; content_ids, times_ms: where it stands in the index.
    """

    tokens: IntArray
    query_times_ms: IntArray
    content_ids: IntArray
    times_ms: IntArray
