"""What each kind of evidence is worth: logistic regression, and how honest its probabilities are.

Features are the nats of `inspector.matching.score`, examples are pairs of which is known whether one copies
the other. Pure but for what it is given; `python -m benchmarks.accuracy.fit` gathers the examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.figures import Bin
from inspector.matching.score import CHANCE, WORTH
from inspector.model import FloatArray

KINDS: Final = tuple(WORTH)
#: One in so many pairs that are compared is a copy: the prior of all probabilities.
PAIRS_PER_COPY: Final = 200.0
#: Nats beyond these say no more: what is certain must not decide what doubtful evidence is worth.
MOST_NATS: Final = 30.0
#: Kinds of which the examples hold too little stay near this worth, held there by so strong a prior.
USUAL_WORTH: Final = 0.3
RIDGE: Final = 5.0
STEPS: Final = 60
HALVINGS: Final = 30
EDGES: Final = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0)


#: Of all kinds and the constant, which is free.
_USUAL: Final = np.array([USUAL_WORTH] * len(KINDS) + [0.0])
_RIDGE: Final = np.array([RIDGE] * len(KINDS) + [1e-6])


class Examples(NamedTuple):
    """nats: (n, 6), by `KINDS`, NaN where nothing was found at all; copies: (n,); halves: (n,), 0 or 1."""

    nats: FloatArray
    copies: NDArray[np.bool_]
    halves: NDArray[np.intp]

    def half(self, number: int) -> Examples:
        chosen = self.halves == number
        return Examples(self.nats[chosen], self.copies[chosen], self.halves[chosen])

    @property
    def weights(self) -> FloatArray:
        """(n,): what each counts where one in `PAIRS_PER_COPY` is a copy; copies count 1."""
        others = max(int((~self.copies).sum()), 1)
        return np.where(self.copies, 1.0, (PAIRS_PER_COPY - 1) * self.copies.sum() / others)


class Model(NamedTuple):
    """Log odds of a copy: worth of each of `KINDS` (6,), and the odds without evidence at the prior."""

    worth: FloatArray
    chance: float

    def scores(self, examples: Examples) -> FloatArray:
        """Probabilities; where nothing was found, 0."""
        odds = np.nan_to_num(examples.nats) @ self.worth + self.chance
        scores = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        return np.where(np.isnan(examples.nats).any(axis=1), 0.0, scores)


PRESENT: Final = Model(np.array(list(WORTH.values())), CHANCE)


def fit(examples: Examples) -> Model:
    """Ridge regression by Newton's method (McCullagh & Nelder 1989), then moved to the prior."""
    found = ~np.isnan(examples.nats).any(axis=1)
    copies = examples.copies[found].astype(np.float64)
    features = np.c_[np.clip(examples.nats[found], -MOST_NATS, MOST_NATS), np.ones(len(copies))]
    worth = np.zeros(len(KINDS) + 1)
    for _ in range(STEPS):
        scores = 1 / (1 + np.exp(-features @ worth))
        slope = features.T @ (copies - scores) - _RIDGE * (worth - _USUAL)
        bend = (features.T * (scores * (1 - scores))) @ features + np.diag(_RIDGE)
        worth = _step(features, copies, worth, np.linalg.solve(bend, slope))
    sampled = examples.copies.sum() / max((~examples.copies).sum(), 1)
    return Model(worth[:-1], float(worth[-1] - np.log(sampled * (PAIRS_PER_COPY - 1))))


def _step(features: FloatArray, copies: FloatArray, worth: FloatArray, step: FloatArray) -> FloatArray:
    """As much of the step as makes things no worse; a whole one may go too far."""
    before = _loss(features, copies, worth)
    for _ in range(HALVINGS):
        if _loss(features, copies, worth + step) <= before:
            return worth + step
        step = step / 2
    return worth


def _loss(features: FloatArray, copies: FloatArray, worth: FloatArray) -> float:
    odds = features @ worth
    return float((np.logaddexp(0, odds) - copies * odds).sum() + (_RIDGE * (worth - _USUAL) ** 2).sum() / 2)


def brier_score(model: Model, examples: Examples) -> float:
    """Mean squared error of the probabilities, at the prior."""
    errors = (model.scores(examples) - examples.copies) ** 2
    return float(np.average(errors, weights=examples.weights))


def reliability(model: Model, examples: Examples) -> list[Bin]:
    """How often pairs with about the same score are copies, at the prior; pairs with any evidence only."""
    scores, weights = model.scores(examples), examples.weights
    table = []
    for least, most in pairwise(EDGES):
        inside = (scores > 0) & (scores >= least) & ((scores < most) | (most == EDGES[-1]))
        if inside.any():
            mean, share = (
                float(np.average(column[inside], weights=weights[inside]))
                for column in (scores, examples.copies)
            )
            table.append(Bin(least, most, int(inside.sum()), mean, share))
    return table


def report(examples: Examples, models: Sequence[tuple[str, Model]]) -> list[str]:
    """Tables of what each model says: worth, Brier scores of both halves, reliability on half 1."""
    lines = [
        f"| | {' | '.join(KINDS)} | chance | Brier, half 0 | half 1 | recall at 0.5, half 1 | false |",
        "|---" * (len(KINDS) + 6) + "|",
    ]
    unseen = examples.half(1)
    for name, model in models:
        sure = model.scores(unseen) >= 0.5
        worth = " | ".join(f"{w:.2f}" for w in model.worth)
        lines.append(
            f"| {name} | {worth} | {model.chance:.1f} | {brier_score(model, examples.half(0)):.5f} "
            f"| {brier_score(model, unseen):.5f} | {sure[unseen.copies].mean():.3f} "
            f"| {int(sure[~unseen.copies].sum())} |"
        )
    for name, model in models:
        lines += ["", f"| score, half 1, {name} | pairs | mean score | true |", "|---|---|---|---|"]
        lines += [
            f"| {b.least:g} to {b.most:g} | {b.pairs} | {b.mean_score:.3f} | {b.true_share:.3f} |"
            for b in reliability(model, unseen)
        ]
    return lines
