"""`make hostile`: the whole corpus, every container cut off at every twentieth, and a thousand mutations.

All are looked at under strace, and the table at the end is what docs/security.md shows.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import click

from tests.hostile.corpus import NAMES, SECRET, Files, Lure, corpus, films, mutated, truncated
from tests.hostile.look import Outcome
from tests.hostile.watch import Seen, watch
from tests.media_clips import H264, make, pattern

BATCH: Final = 100
SLOWEST: Final = 5


@click.command()
@click.option("--files", default=1000, show_default=True, help="How many mutations.")
@click.option("--seed", default=1, show_default=True, help="Of the mutations.")
@click.option(
    "--sandbox", default="none", show_default=True, help="Without one, nothing hides what files try."
)
def main(files: int, seed: int, sandbox: str) -> None:
    """Look at many hostile and broken files, and say what came of them."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        for part in ("made", "decoy"):
            (folder / part).mkdir()
        film = films(folder / "made")
        decoy = make(
            folder / "decoy" / "decoy.mp4",
            *pattern(size="222x166"), "-t", "2", *H264, "-metadata", f"title={SECRET}",
        )  # fmt: skip
        parts: dict[str, Iterator[tuple[str, bytes]]] = {
            "made to harm": iter(corpus(Lure(decoy, "http://127.0.0.1:9"), film, folder / "made").items()),
            "odd names": iter(dict.fromkeys(NAMES, film["film.mp4"]).items()),
            "cut off": (cut for one in film.items() for cut in truncated(*one).items()),
            "mutated": mutated(film, files, seed),
        }
        faults = [fault for part, made in parts.items() for fault in _look(part, made, sandbox)]
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(1 if faults else 0)


def _look(part: str, made: Iterator[tuple[str, bytes]], sandbox: str) -> list[str]:
    """Look at one part of the files, print its line, and return what must not be."""
    outcomes: list[Outcome] = []
    faults: list[str] = []
    programs = 0
    while batch := dict(islice(made, BATCH)):
        some, seen = _look_at(batch, sandbox)
        outcomes += some
        programs += len(seen)
        faults += [f"{path} opened by {s.argv}" for s in seen for path in s.foreign]
        faults += [f"{call} by {s.argv}" for s in seen for call in s.network]
    faults += [f"{o.name}: {o.reason}" for o in outcomes if o.end not in ("done", "rejected")]
    faults += [f"{o.name} told the secret" for o in outcomes if SECRET in o.told]
    ends = Counter(o.reason if o.end == "rejected" else o.end for o in outcomes)
    took_s = sorted(o.took_s for o in outcomes)
    click.echo(
        f"{part}: {len(outcomes)} files, {programs} programs; "
        + ", ".join(f"{end} {count}" for end, count in ends.most_common())
        + f"; median {statistics.median(took_s):.2f} s, slowest {took_s[-1]:.1f} s"
    )
    for outcome in sorted(outcomes, key=lambda o: -o.took_s)[:SLOWEST]:
        click.echo(f"  {outcome.took_s:5.1f} s  {outcome.name!r}: {outcome.end} {outcome.reason}")
    return faults


def _look_at(files: Files, sandbox: str) -> tuple[list[Outcome], list[Seen]]:
    with tempfile.TemporaryDirectory() as name:
        folder, calls = Path(name) / "files", Path(name) / "calls"
        folder.mkdir()
        calls.mkdir()
        for file, data in files.items():
            (folder / file).write_bytes(data)
        paths = [str(folder / file) for file in files]
        said, seen = watch(["-m", "tests.hostile.look", sandbox, *paths], calls)
    return [Outcome(**json.loads(line)) for line in said.splitlines()], seen


if __name__ == "__main__":
    main()
