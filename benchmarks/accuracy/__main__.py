"""How well a corpus of edited copies is found, through the index, as `inspector scan` does it.

    python -m benchmarks.accuracy CORPUS [--scorer score.py] [--output accuracy.md] [--keep predictions.csv]

CORPUS holds refs/, queries/, truth.csv, ignore.csv, queries.csv and refs.csv (see `figures.py`). A scorer is
a program that takes the corpus folder and a table of predictions, and writes figures with --json.
Constants were tuned on the references of one half of the groups: both halves are shown.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.accuracy.figures import (
    Box,
    Corpus,
    Prediction,
    best_scores,
    border_errors,
    brier_score,
    parity,
    read_corpus,
    reliability,
)

COLUMNS: Final = ("query", "ref", "q_start", "q_end", "r_start", "r_end", "score")
SCANNED: Final = (
    "query", "reference", "query_start", "query_end", "reference_start", "reference_end", "score",
)  # fmt: skip
THRESHOLD: Final = 0.5  # of the setting INSPECTOR_MIN_SCORE, by default
SOME_REJECTED: Final = 3  # exit code of a scan that rejected files
HALVES: Final = (("all", None), ("half 0 (tuned on)", 0), ("half 1", 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--scorer", type=Path, help="program that scores predictions")
    parser.add_argument("--output", type=Path, default=Path("accuracy.md"), help="where the table is written")
    parser.add_argument("--keep", type=Path, help="also write the predictions here")
    options = parser.parse_args()
    began = time.monotonic()
    predictions = scan(options.corpus)
    took_s = time.monotonic() - began
    if options.keep:
        write_predictions(options.keep, predictions)
    corpus = read_corpus(options.corpus)
    text = "\n".join(
        [
            f"{len(corpus.transforms)} queries against {len(corpus.groups)} references, {took_s:.0f} s.",
            "",
            *honesty(corpus, predictions),
            *(scored(options.scorer, options.corpus, predictions) if options.scorer else ()),
        ]
    )
    print(text)
    options.output.write_text(text + "\n")


def scan(corpus: Path) -> list[Prediction]:
    """What `inspector scan` finds, whatever the score."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "matches.csv"
        done = subprocess.run(
            [
                sys.executable, "-m", "inspector", "scan", str(corpus / "queries"),
                "--against", str(corpus / "refs"), "--format", "csv", "--min-score", "0",
                "--output", str(found),
            ],
            check=False,
        )  # fmt: skip
        if done.returncode not in (0, SOME_REJECTED):
            sys.exit(done.returncode)
        with found.open(newline="") as file:
            return [read_match(row) for row in csv.DictReader(file)]


def read_match(row: dict[str, str]) -> Prediction:
    """A row of the scan. Names are those of the files, whatever folder the scan names them by."""
    query, reference, *times, score = (row[name] for name in SCANNED)
    return Prediction((Path(query).name, Path(reference).name), Box(*map(float, times)), float(score))


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """As scorers read them."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*p.pair, *p.box, p.score] for p in predictions)


def honesty(corpus: Corpus, predictions: Sequence[Prediction]) -> list[str]:
    """What needs no scorer: both halves at the default threshold, scores as probabilities, borders."""
    lines = [
        "| | true pairs | recall at 0.5 | false pairs at 0.5 | Brier score | median border error |",
        "|---|---|---|---|---|---|",
    ]
    for name, number in HALVES:
        lines.append(_summary(name, corpus if number is None else corpus.half(number), predictions))
    half = corpus.half(1)
    lines += [
        "",
        "| score, half 1 | pairs | mean score | true |",
        "|---|---|---|---|",
        *(
            f"| {b.least:g} to {b.most:g} | {b.pairs} | {b.mean_score:.3f} | {b.true_share:.3f} |"
            for b in reliability(best_scores(half.judged(predictions)), half.counted)
        ),
        "",
    ]
    return lines


def _summary(name: str, corpus: Corpus, predictions: Sequence[Prediction]) -> str:
    judged, truth = corpus.judged(predictions), corpus.counted
    scores = best_scores(judged)
    sure = {pair for pair, score in scores.items() if score >= THRESHOLD}
    errors = border_errors([p for p in judged if p.pair in sure], truth)
    brier = brier_score(scores, truth, len(corpus.transforms) * len(corpus.groups))
    border = f"{statistics.median(errors):.2f} s" if errors else "–"
    recall = len(sure & set(truth)) / max(len(truth), 1)
    return f"| {name} | {len(truth)} | {recall:.3f} | {len(sure - set(truth))} | {brier:.5f} | {border} |"


def scored(scorer: Path, corpus: Path, predictions: Sequence[Prediction]) -> list[str]:
    """The scorer's figures: of all and of both halves, then by transform."""
    results = [(name, _score(scorer, corpus, predictions, number)) for name, number in HALVES]
    lines = [
        "| | µAP | recall at precision 1 | false pairs | segment F1 | segment AP |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results:
        o = result["overall"]
        lines.append(
            f"| {name} | {o['uAP']:.3f} | {o['recall_p1']:.3f} | {o['false_pairs']} "
            f"| {o['segments_best']['f1']:.3f} | {o['segment_AP']:.3f} |"
        )
    lines += [
        "",
        "| transform | pairs | recall at precision 1 | at any score | segment F1 |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['transform']} | {r['n']} | {r['recall_p1']:.2f} | {r['recall_any']:.2f} "
        f"| {r['segment_f1']:.2f} |"
        for r in results[0][1]["transforms"]
    ]
    lines += ["", "| negatives | queries | with a false pair | highest score |", "|---|---|---|---|"]
    return lines + [
        f"| {r['kind']} | {r['queries']} | {r['hit']} | {r['max_score'] or 0:.3f} |"
        for r in results[0][1]["negatives"]
    ]


def _score(scorer: Path, corpus: Path, predictions: Iterable[Prediction], half: int | None) -> dict[str, Any]:
    """Run the scorer on a copy of the corpus's tables that holds the references of one half, or all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = {ref for ref, group in read_corpus(corpus).groups.items() if half in (None, parity(group))}
        shutil.copy(corpus / "queries.csv", folder)
        for table in ("refs", "truth", "ignore"):
            _copy_rows(corpus / f"{table}.csv", folder / f"{table}.csv", kept)
        write_predictions(folder / "predictions.csv", [p for p in predictions if p.pair[1] in kept])
        subprocess.run(
            [
                sys.executable, str(scorer.absolute()), name, str(folder / "predictions.csv"),
                "--json", str(folder / "scores.json"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        result: dict[str, Any] = json.loads((folder / "scores.json").read_text())
        return result


def _copy_rows(source: Path, target: Path, references: set[str]) -> None:
    with source.open(newline="") as read, target.open("w", newline="") as written:
        reader = csv.DictReader(read)
        writer = csv.DictWriter(written, reader.fieldnames or [])
        writer.writeheader()
        writer.writerows(row for row in reader if row["ref"] in references)


if __name__ == "__main__":
    main()
