"""Which version of the algorithm this is, and what of older ones is still good."""

from __future__ import annotations

from typing import Final

#: Version of fingerprints, landmarks and scores together. Raise it whenever one of them changes its meaning.
ALGORITHM: Final = 4
#: Since this version fingerprints are as they would be made today; of older contents the bytes are needed.
#: Raise it to ALGORITHM with every change of fingerprints.
SEEN_SINCE: Final = 4
#: Since this version fingerprints may be compared with those of today, until they are brought up to date:
#: better than not at all.  Raise it to ALGORITHM where older ones cannot be read.
COMPARABLE_SINCE: Final = 4
