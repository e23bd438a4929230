"""Distances between hashes, and the hashes of mirrored and turned pictures.

Mirroring a picture flips the sign of its odd DCT coefficients, turning it by a quarter also swaps rows and
columns. A hash of signs (see `inspector.fingerprint.frames`) is therefore mirrored or turned without the
picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.model import HashArray

_BIT: Final = np.arange(64)
_VERTICAL, _HORIZONTAL = _BIT // 8, _BIT % 8

#: The ways a picture can lie: (turned, upside down, mirrored), the untouched one first.
VARIANTS: Final = tuple((turn, flip, mirror) for turn in (0, 1) for flip in (0, 1) for mirror in (0, 1))


def vary(hashes: HashArray, variant: int) -> HashArray:
    """The hashes of the same pictures lying as `VARIANTS[variant]` says; 0 changes nothing."""
    if variant == 0:
        return hashes
    turned, flipped, mirrored = VARIANTS[variant]
    bits = np.unpackbits(hashes.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    if turned:
        bits = bits[:, _HORIZONTAL * 8 + _VERTICAL]
    odd = ((_VERTICAL * flipped + _HORIZONTAL * mirrored) % 2).astype(np.uint8)
    bits = bits ^ odd
    bits[:, 0] = 0
    packed = np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little"))
    return packed.view("<u8")[:, 0].astype(np.uint64)


def distance(a: NDArray[np.unsignedinteger], b: NDArray[np.unsignedinteger]) -> NDArray[np.float32]:
    """Hamming distance, broadcast as numpy does."""
    return np.bitwise_count(a ^ b).astype(np.float32)
