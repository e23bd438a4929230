"""From nats of evidence to one probability, and what each kind of evidence contributed to it.

Nats of single observations cannot simply be added up: neighbouring frames repeat each other, and what agrees
best was searched for. So a logistic regression says what each kind is worth. It was fitted on half of the
reference groups, on whole videos, clips of 1 to 12 s and unrelated hours, and checked on the other half
(docs/accuracy.md shows how well its probabilities hold there).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from inspector.matching.evidence import Stretch

#: Log odds per nat of each kind: fitted, but for cuts, of which the clips hold too few to move them from 0.3,
#: where they started.
#: Pictures are worth so little because the best line of many was taken; what moves has to agree as well.
WORTH: Final = {
    "cuts": 0.3,
    "frames": 0.2,
    "motion": 0.85,
    "presence": 0.6,
    "sounds": 0.5,
    "line": 0.95,
}
#: Log odds of a pair without evidence, where 1 pair in 200 of those compared is a copy: fitted, and moved to
#: this share of copies from that among the pairs it was fitted on.
CHANCE: Final = -6.8
#: Further stretches count half (guessed): they are not independent of the first. That the same thing is shown
#: at all is not said a second time.
FURTHER_SHARE: Final = 0.5
SAID_ONCE: Final = "presence"


def log_odds(stretches: Iterable[Stretch]) -> dict[str, float]:
    """What each kind contributes to the log odds that these stretches are copied; they add up to them.

    The strongest stretch counts in full. `line` is what unusual lines cost, `chance` the odds without any
    evidence.
    """
    ranked = sorted(stretches, key=lambda s: -s.nats)
    odds = {kind: worth * _together(kind, ranked) for kind, worth in WORTH.items()}
    return odds | {"chance": CHANCE}


def _together(kind: str, ranked: Sequence[Stretch]) -> float:
    """Nats of a kind of all stretches, strongest first."""
    nats = [s.kinds[kind] for s in ranked]
    return max(nats) if kind == SAID_ONCE else nats[0] + FURTHER_SHARE * sum(nats[1:])


def probability(odds: Mapping[str, float]) -> float:
    """The probability that has these log odds, all kinds together."""
    return float(1 / (1 + np.exp(-np.clip(sum(odds.values()), -50, 50))))
