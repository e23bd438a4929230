"""What can be said of predictions beside a scorer's figures: how honest the scores, how exact the borders.

A corpus is a folder with truth.csv (query, ref, q_start, q_end, r_start, r_end, transform), ignore.csv (the
same: neither right nor wrong), queries.csv (query, transform, …) and refs.csv (ref, group, …).
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

#: Seconds by which a prediction may stick out of an ignored stretch.
SLACK_S: Final = 1.0
#: Transforms that are listed by themselves: the copy is heard, not seen.
APART: Final = frozenset({"audio_only"})
EDGES: Final = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99, 1.0)

Pair = tuple[str, str]  # query, reference


class Box(NamedTuple):
    """A stretch of a query on a stretch of a reference (s)."""

    q_start: float
    q_end: float
    r_start: float
    r_end: float


class Prediction(NamedTuple):
    pair: Pair
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is true of a corpus. transforms: of each query.  groups: of each reference."""

    truth: Mapping[Pair, Sequence[Box]]
    ignored: Mapping[Pair, Sequence[Box]]
    transforms: Mapping[str, str]
    groups: Mapping[str, str]

    def half(self, number: int) -> Corpus:
        """The references of one half, by the parity of their groups' sha1, and what is true of them."""
        kept = {ref: group for ref, group in self.groups.items() if parity(group) == number}
        truth, ignored = (
            {pair: boxes for pair, boxes in table.items() if pair[1] in kept}
            for table in (self.truth, self.ignored)
        )
        return Corpus(truth, ignored, self.transforms, kept)

    @property
    def counted(self) -> dict[Pair, Sequence[Box]]:
        """The true pairs but those told apart."""
        return {pair: boxes for pair, boxes in self.truth.items() if self.transforms[pair[0]] not in APART}

    def judged(self, predictions: Iterable[Prediction]) -> list[Prediction]:
        """Those that can be right or wrong: of these references, not ignored, not told apart."""
        return [
            p
            for p in predictions
            if p.pair[1] in self.groups
            and not (p.pair in self.truth and self.transforms[p.pair[0]] in APART)
            and not any(_within(p.box, box) for box in self.ignored.get(p.pair, ()))
        ]


class Bin(NamedTuple):
    """Pairs whose scores lie in [least, most): how many, their mean score, and the share that is true."""

    least: float
    most: float
    pairs: int
    mean_score: float
    true_share: float


def read_corpus(folder: Path) -> Corpus:
    transforms = {row["query"]: row["transform"] for row in _rows(folder / "queries.csv")}
    groups = {row["ref"]: row["group"] for row in _rows(folder / "refs.csv")}
    truth, ignored = (_boxes(_rows(folder / f"{name}.csv")) for name in ("truth", "ignore"))
    return Corpus(truth, ignored, transforms, groups)


def parity(group: str) -> int:
    """Which half a group of references belongs to."""
    return int(hashlib.sha1(group.encode(), usedforsecurity=False).hexdigest(), 16) % 2


def best_scores(predictions: Iterable[Prediction]) -> dict[Pair, float]:
    """A pair's score is the highest of its stretches."""
    best: dict[Pair, float] = {}
    for p in predictions:
        best[p.pair] = max(best.get(p.pair, 0.0), p.score)
    return best


def brier_score(scores: Mapping[Pair, float], true: Iterable[Pair], pairs: int) -> float:
    """Mean squared error of the scores as probabilities, over so many pairs; one not submitted says 0."""
    positives = set(true)
    errors = [(score - (pair in positives)) ** 2 for pair, score in scores.items()]
    return (sum(errors) + len(positives - set(scores))) / pairs


def reliability(scores: Mapping[Pair, float], true: Iterable[Pair]) -> list[Bin]:
    """How often pairs with about the same score are true; bins without pairs are left out."""
    positives = set(true)
    values = np.array(list(scores.values()))
    hits = np.array([pair in positives for pair in scores])
    table = []
    for least, most in pairwise(EDGES):
        inside = (values >= least) & ((values < most) | (most == EDGES[-1]))
        if inside.any():
            mean, share = float(values[inside].mean()), float(hits[inside].mean())
            table.append(Bin(least, most, int(inside.sum()), mean, share))
    return table


def border_errors(predictions: Iterable[Prediction], truth: Mapping[Pair, Sequence[Box]]) -> list[float]:
    """By how many seconds borders are off, on both sides; of the predictions that overlap each true stretch
    the one that does so most.
    """
    by_pair: dict[Pair, list[Box]] = defaultdict(list)
    for p in predictions:
        by_pair[p.pair].append(p.box)
    errors: list[float] = []
    for pair, boxes in truth.items():
        for true in boxes:
            best = max(by_pair.get(pair, []), key=lambda box: _shared_s(box, true), default=None)
            if best and _shared_s(best, true) > 0:
                errors += [abs(x - y) for x, y in zip(best, true, strict=True)]
    return errors


def _shared_s(a: Box, b: Box) -> float:
    sides = ((a.q_start, a.q_end, b.q_start, b.q_end), (a.r_start, a.r_end, b.r_start, b.r_end))
    return sum(max(0.0, min(end, other_end) - max(start, other)) for start, end, other, other_end in sides)


def _within(box: Box, around: Box) -> bool:
    return (
        min(box.q_start - around.q_start, box.r_start - around.r_start) >= -SLACK_S
        and max(box.q_end - around.q_end, box.r_end - around.r_end) <= SLACK_S
    )


def _boxes(rows: Iterable[Mapping[str, str]]) -> dict[Pair, Sequence[Box]]:
    boxes: dict[Pair, list[Box]] = defaultdict(list)
    for row in rows:
        boxes[row["query"], row["ref"]].append(Box(*(float(row[name]) for name in Box._fields)))
    return {pair: tuple(found) for pair, found in boxes.items()}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
