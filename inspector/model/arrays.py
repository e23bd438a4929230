"""Arrays, and the shape of the small frames and of the sound that fingerprints are made of.

Times are float64 seconds from the container's start time, ascending, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]
HashArray = NDArray[np.uint64]
SoundArray = NDArray[np.uint32]

FRAME_HEIGHT: Final = 36  # pixels of the small frames that fingerprints are made of
FRAME_WIDTH: Final = 64
SOUND_RATE_HZ: Final = 11025  # mono samples; musical content that survives re-encoding lies below 5 kHz
