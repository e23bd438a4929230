"""What each kind of evidence is worth, fitted on half of a corpus: `python -m benchmarks.accuracy.fit CORPUS`

Prints the factors of `inspector.matching.score` as they are and as fitted on half 0, and how honest both are
on half 1. Whole videos are either found or not, so the examples also hold clips of 1 to 12 s, cut out of the
queries at random, and long films glued together from references, halves of a half, which share nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.accuracy.figures import APART, Corpus, parity, read_corpus
from benchmarks.accuracy.fitting import KINDS, PRESENT, Examples, fit, report
from benchmarks.accuracy.telling import fingerprint_of
from benchmarks.index.films import cut_out, glue
from inspector.matching import compare
from inspector.matching.score import WORTH
from inspector.model import Fingerprint
from inspector.settings import load_settings

LEAST_CLIP_S, MOST_CLIP_S = 1.2, 12.0
#: References that hold nothing of the query, for each clip of it.
OTHERS: Final = 8
#: A clip copies a reference if so many seconds of it, or this share, lie in a copied stretch; if fewer do,
#: the pair is no example.
COPIED_S, COPIED_SHARE = 1.0, 0.8
#: Long films are glued together of videos that end before this.
LEAST_LONG_S, MOST_LONG_S = 60.0, 400.0


class Example(NamedTuple):
    """Two contents, whether they share anything, and the half to which the pair belongs."""

    a: Fingerprint
    b: Fingerprint
    copy: bool
    half: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--clips", type=int, default=2, help="of each query")
    parser.add_argument("--long", type=int, default=40, help="pairs of long films, of each half")
    options = parser.parse_args()
    corpus = read_corpus(options.corpus)
    settings = load_settings()
    queries, references = (
        {name: fingerprint_of(options.corpus / folder / name, settings) for name in names}
        for folder, names in (("queries", corpus.transforms), ("refs", corpus.groups))
    )
    examples = measure(draw(corpus, queries, references, clips=options.clips, long=options.long))
    print("\n".join(report(examples, [("as it is", PRESENT), ("fitted", fit(examples.half(0)))])))


def draw(
    corpus: Corpus,
    queries: Mapping[str, Fingerprint],
    references: Mapping[str, Fingerprint],
    *,
    clips: int,
    long: int,
) -> Iterator[Example]:
    """Whole videos, clips, and long films, by a fixed seed. Ignored pairs are left out."""
    rng = np.random.default_rng(0)
    for query in sorted(corpus.transforms):
        if corpus.transforms[query] in APART:
            continue
        f = queries[query]
        yield from _whole(corpus, query, f, references)
        for _ in range(clips):
            yield from _clip(corpus, query, f, references, rng)
    for number in (0, 1):
        for _ in range(long):
            a, b = _unrelated(corpus.half(number), references, rng)
            yield Example(a, b, copy=False, half=number)


def measure(pairs: Iterable[Example]) -> Examples:
    """Compare them all."""
    rows = [(_nats(pair), pair.copy, pair.half) for pair in pairs]
    nats, copies, halves = zip(*rows, strict=True)
    return Examples(np.array(nats), np.array(copies, dtype=np.bool_), np.array(halves, dtype=np.intp))


def _nats(pair: Example) -> list[float]:
    match = compare(pair.a, pair.b, least_score=0.0)
    if not match:
        return [np.nan] * len(KINDS)
    return [match.evidence.weights[kind] / WORTH[kind] for kind in KINDS]


def _whole(
    corpus: Corpus, query: str, f: Fingerprint, references: Mapping[str, Fingerprint]
) -> Iterator[Example]:
    for name, group in corpus.groups.items():
        if (query, name) not in corpus.ignored:
            yield Example(f, references[name], (query, name) in corpus.truth, parity(group))


def _clip(
    corpus: Corpus,
    query: str,
    f: Fingerprint,
    references: Mapping[str, Fingerprint],
    rng: np.random.Generator,
) -> Iterator[Example]:
    """A clip of a query with all references it copies, and some that it has nothing to do with."""
    length_s = min(float(np.exp(rng.uniform(np.log(LEAST_CLIP_S), np.log(MOST_CLIP_S)))), f.duration_s)
    start_s = float(rng.uniform(0, f.duration_s - length_s))
    clip = cut_out(f, start_s, start_s + length_s)
    known = {name for name in corpus.groups if (query, name) in {*corpus.truth, *corpus.ignored}}
    for name in sorted(known):
        shared = [
            min(start_s + length_s, box.q_end) - max(start_s, box.q_start)
            for box in corpus.truth.get((query, name), ())
        ]
        if max(shared, default=0.0) >= min(COPIED_SHARE * length_s, COPIED_S):
            yield Example(clip, references[name], copy=True, half=parity(corpus.groups[name]))
    for name in rng.choice(sorted(set(corpus.groups) - known), OTHERS, replace=False).tolist():
        yield Example(clip, references[name], copy=False, half=parity(corpus.groups[name]))


def _unrelated(
    half: Corpus, references: Mapping[str, Fingerprint], rng: np.random.Generator
) -> tuple[Fingerprint, Fingerprint]:
    """Two long films of which no group is in both."""
    groups = rng.permutation(sorted(set(half.groups.values()))).tolist()
    middle = len(groups) // 2
    return _film(half, groups[:middle], references, rng), _film(half, groups[middle:], references, rng)


def _film(
    half: Corpus, groups: list[str], references: Mapping[str, Fingerprint], rng: np.random.Generator
) -> Fingerprint:
    """One reference of each group, one after the other, for a random time."""
    members = [sorted(name for name, own in half.groups.items() if own == group) for group in groups]
    pieces = [references[str(rng.choice(names))] for names in members]
    ends_s = np.cumsum([piece.duration_s for piece in pieces])
    return glue(pieces[: 1 + int(np.searchsorted(ends_s, rng.uniform(LEAST_LONG_S, MOST_LONG_S)))])


if __name__ == "__main__":
    main()
