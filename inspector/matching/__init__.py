"""Who looks alike: landmarks for the index, votes for candidates, and the full comparison of two
fingerprints.

The way of a query: landmarks (made of tokens) → candidates. The way of a pair, by `compare`: guises → votes →
proposals of lines → evidence along each (alignment, likelihood) → refinement → borders → score → verdict.
"""

from inspector.matching.candidates import find_candidates
from inspector.matching.compare import compare
from inspector.matching.landmarks import make_landmarks, query_landmarks
from inspector.matching.verdict import decide_verdict

__all__ = [
    "compare",
    "decide_verdict",
    "find_candidates",
    "make_landmarks",
    "query_landmarks",
]
