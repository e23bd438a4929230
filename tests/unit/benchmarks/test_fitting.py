"""The fit finds what the examples were made with, and its figures are at the prior it states."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.figures import Box, Corpus, parity
from benchmarks.accuracy.fit import draw, measure
from benchmarks.accuracy.fitting import (
    KINDS,
    PAIRS_PER_COPY,
    Examples,
    Model,
    brier_score,
    fit,
    reliability,
    report,
)
from tests.unit.matching.films import cut_out, damaged, make_film

WORTH = np.array([0.5, 0.2, 0.8, 0.6, 0.4, 0.9])


def drawn(count: int) -> Examples:
    """Examples whose log odds are `WORTH` times their nats, less 3."""
    rng = np.random.default_rng(1)
    nats = rng.normal(0, 4, (count, len(KINDS)))
    copies = rng.random(count) < 1 / (1 + np.exp(3 - nats @ WORTH))
    return Examples(nats, copies, np.arange(count) % 2)


def test_the_fit_finds_what_each_kind_is_worth() -> None:
    model = fit(drawn(20_000))
    assert model.worth == pytest.approx(WORTH, abs=0.08)


def test_the_constant_is_moved_to_the_prior() -> None:
    examples = drawn(20_000)
    odds = examples.copies.sum() / (~examples.copies).sum()
    assert fit(examples).chance == pytest.approx(-3 - np.log(odds * (PAIRS_PER_COPY - 1)), abs=0.2)


def test_a_constant_prior_has_the_brier_score_of_its_variance() -> None:
    examples, prior = drawn(2_000), 1 / PAIRS_PER_COPY
    constant = Model(np.zeros(len(KINDS)), float(np.log(prior / (1 - prior))))
    assert brier_score(constant, examples) == pytest.approx(prior * (1 - prior))
    (only,) = reliability(constant, examples)
    assert only.mean_score == pytest.approx(only.true_share)


def test_where_nothing_was_found_the_score_is_0() -> None:
    examples = Examples(np.full((2, len(KINDS)), np.nan), np.array([True, False]), np.zeros(2, np.intp))
    assert Model(WORTH, 5.0).scores(examples).tolist() == [0.0, 0.0]


def test_examples_of_a_corpus_are_judged_by_its_truth() -> None:
    films = {f"r{n}": make_film(n, 30.0) for n in range(10)}
    halves = [next(name for name in films if parity(name) == number) for number in (0, 1)]
    queries = {f"copy of {name}": damaged(cut_out(films[name], 5, 25), 1, bits=2) for name in halves}
    queries["other"] = make_film(99, 20.0)
    corpus = Corpus(
        truth={(f"copy of {name}", name): (Box(0, 20, 5, 25),) for name in halves},
        ignored={("other", "r0"): (Box(0, 4, 0, 4),)},
        transforms=dict.fromkeys(queries, "trim"),
        groups={name: name for name in films},
    )
    pairs = list(draw(corpus, queries, films, clips=1, long=1))
    assert sum(pair.copy for pair in pairs) == 4
    assert not any(pair.a is queries["other"] and pair.b is films["r0"] for pair in pairs)
    examples = measure(pair for pair in pairs if pair.copy)
    assert (examples.nats[:, KINDS.index("frames")] > 10).all()
    assert len(report(measure(pairs), [("any", Model(WORTH, -5.0))])) > 4
