"""`inspector scan`: duplicates among local files, with the same engine and no S3."""

from __future__ import annotations

import csv
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import click
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from inspector.cli.tables import harmless, make_console, make_table, name_cell
from inspector.errors import Interrupted, MediaRejected, ToolFailed
from inspector.media import sandbox_status
from inspector.model import Progress as Advance
from inspector.model import Verdict
from inspector.settings import Preset, Settings
from inspector.stack import check_ffmpeg, embedded_postgres, join_stack
from inspector.store import Database, migrate
from inspector.wiring.adapters import make_database
from inspector.worker.scan import Scan, ScanMatch, ScannedFile, label_common

#: Files in a folder that are looked at; files that are named one by one are always looked at.
VIDEO_SUFFIXES: Final = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov",
    ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogg", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
COLUMNS: Final = (
    "query", "reference", "query_start", "query_end", "reference_start", "reference_end", "speed", "score",
    "verdict", "evidence",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be scanned, and the name it is reported by: relative to the folder that was given."""

    path: Path
    name: str


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--against",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Compare PATHS with the files here, instead of with each other.  May be repeated.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print the matches.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Leave out matches below it.  [default: from the settings]",
)
@click.option("--common", is_flag=True, help="List also who shares only what many unrelated videos share.")
@click.option(
    "--preset",
    type=click.Choice([each.value for each in Preset]),  # of an enum, click takes the names
    help="How much is decoded of a file that is not known yet.  [default: from the settings]",
)
@click.option("--output", type=click.File("w", lazy=True), help="Write there instead of to standard output.")
@click.pass_obj
def scan(
    settings: Settings,
    paths: tuple[Path, ...],
    against: tuple[Path, ...],
    form: str,
    min_score: float | None,
    common: bool,
    preset: str | None,
    output: TextIO | None,
) -> None:
    """Find duplicates among local video files and folders. Nothing is uploaded, moved or deleted.

    \b
      inspector scan ~/Videos
      inspector scan new/ --against library/ --format csv --output matches.csv

    Fingerprints are kept in the database, so a second scan of the same files is quick. Each pair is reported
    once, with a row for each matched stretch; times are seconds. Exit codes: 0 done; 1 it could not be done;
    3 done, but some files were rejected (they are listed on stderr).
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the database is left in order
    check_ffmpeg()
    sandbox_status(settings)
    settings = settings.model_copy(update={"preset": Preset(preset)}) if preset else settings
    queries = find_files(paths)
    references = find_files(against)
    least = settings.min_score if min_score is None else min_score
    with _database(join_stack(settings)) as db, _bars() as progress:
        runner = _Runner(Scan(db, settings), settings.workers, progress)
        names = {found.path: found.name for found in [*references, *queries]}
        found = runner.run(queries, references if against else None)
        matches = label_common(
            [pair for pair in found if pair.match.score >= least], least=settings.common_from
        )
        shown = [pair for pair in matches if common or pair.match.verdict is not Verdict.COMMON]
        rows = [row for pair in shown for row in rows_of(pair, names)]
    if len(shown) < len(matches):
        hidden = len(matches) - len(shown)
        click.echo(f"{hidden} pairs share only common material: --common lists them", err=True)
    _WRITERS[form](rows, output or sys.stdout)
    if runner.rejected:
        sys.exit(3)


def find_files(paths: Sequence[Path]) -> list[Found]:
    """The files given, and the videos in the folders given, by name; each once."""
    found: dict[Path, Found] = {}
    for given in paths:
        for path in _videos_below(given) if given.is_dir() else [given]:
            name = path.relative_to(given).as_posix() if given.is_dir() else path.name
            found.setdefault(path.resolve(), Found(path.resolve(), name))
    return list(found.values())


def rows_of(pair: ScanMatch, names: dict[Path, str]) -> list[Row]:
    """One row for each matched stretch; files by their names, evidence in words."""
    match = pair.match
    return [
        {
            "query": names[pair.query.path],
            "reference": names[pair.reference.path],
            "query_start": round(segment.a_start_s, 3),
            "query_end": round(segment.a_end_s, 3),
            "reference_start": round(segment.b_start_s, 3),
            "reference_end": round(segment.b_end_s, 3),
            "speed": round(segment.speed, 4),
            "score": round(match.score, 6),
            "verdict": match.verdict.value,
            "evidence": asdict(match.evidence),
        }
        for segment in match.segments
    ]


class _Runner:
    """Scans files side by side with a progress bar for each and for all, then compares them."""

    def __init__(self, engine: Scan, threads: int, progress: Progress) -> None:
        self.rejected: list[str] = []
        self._engine = engine
        self._threads = threads
        self._progress = progress
        self._cancelled = threading.Event()

    def run(self, queries: Sequence[Found], references: Sequence[Found] | None) -> list[ScanMatch]:
        everything = list(dict.fromkeys([*queries, *(references or ())]))
        scanned = self._scan(everything)
        asking = [scanned[f.path] for f in queries if f.path in scanned]
        known = None
        if references is not None:
            known = [scanned[f.path] for f in references if f.path in scanned]
        total = self._progress.add_task("comparing", total=len(asking))
        found: list[ScanMatch] = []
        for matches in self._engine.matches(asking, known, cancelled=self._cancelled.is_set):
            found += matches
            self._progress.advance(total)
        return found

    def _scan(self, files: Sequence[Found]) -> dict[Path, ScannedFile]:
        total = self._progress.add_task("all files", total=len(files))
        with ThreadPoolExecutor(self._threads, thread_name_prefix="scan") as pool:
            try:
                looks = [pool.submit(self._look_at, file, total) for file in files]
                scanned = [look.result() for look in looks]
            except BaseException:
                self._cancelled.set()
                pool.shutdown(cancel_futures=True)
                raise
        return {file.path: file for file in scanned if file is not None}

    def _look_at(self, file: Found, total: TaskID) -> ScannedFile | None:
        bar = self._progress.add_task(harmless(file.name), total=1.0)

        def show(progress: Advance) -> None:
            self._progress.update(bar, completed=progress.fraction)

        try:
            return self._engine.look_at(file.path, cancelled=self._cancelled.is_set, on_progress=show)
        except Interrupted:
            return None
        except (MediaRejected, ToolFailed, OSError) as exc:
            self.rejected.append(file.name)
            self._progress.console.print(harmless(f"{file.name}: {exc}"), markup=False, highlight=False)
            return None
        finally:
            self._progress.remove_task(bar)
            self._progress.advance(total)


def _videos_below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, or the embedded one of the data folder; migrated."""
    with ExitStack() as stack:
        if settings.database_url is None:
            url = stack.enter_context(embedded_postgres(settings.data_dir))
            settings = settings.model_copy(update={"database_url": SecretStr(url)})
        db = stack.enter_context(closing(make_database(settings, pool_size=settings.workers + 1)))
        migrate(db)
        yield db


def _bars() -> Progress:
    """Progress bars on stderr, so that standard output can be piped."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _write_table(rows: Sequence[Row], output: TextIO) -> None:
    console = make_console(output)
    if not rows:
        console.print("No duplicates found.")
        return
    table = make_table("query", "from", "to", "reference", "from", "to", "verdict", "score")
    for row in rows:
        table.add_row(
            name_cell(row["query"]), f"{row['query_start']:.2f}", f"{row['query_end']:.2f}",
            name_cell(row["reference"]), f"{row['reference_start']:.2f}", f"{row['reference_end']:.2f}",
            row["verdict"], f"{row['score']:.2f}",
        )  # fmt: skip
    console.print(table)


def _write_json(rows: Sequence[Row], output: TextIO) -> None:
    output.write(_spelled_out(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n")


def _write_csv(rows: Sequence[Row], output: TextIO) -> None:
    writer = csv.DictWriter(output, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        names = {name: _spelled_out(row[name]) for name in ("query", "reference")}
        writer.writerow({**row, **names, "evidence": json.dumps(row["evidence"], separators=(",", ":"))})


def _spelled_out(text: str) -> str:
    r"""The text with each byte of a file name that is no UTF-8 as \udcXX, which JSON readers understand."""
    return text.encode(errors="backslashreplace").decode()


_WRITERS: Final[dict[str, Callable[[Sequence[Row], TextIO], None]]] = {
    "table": _write_table,
    "json": _write_json,
    "csv": _write_csv,
}
