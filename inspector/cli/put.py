"""`inspector put`: drop videos into the bucket."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import click
from rich.progress import DownloadColumn

from inspector.aws.bucket import possible_key
from inspector.cli.client import StatusClient
from inspector.cli.status import NOT_WELL, Video, bars, show, wait_for
from inspector.cli.tables import harmless
from inspector.errors import InspectorError, Unavailable
from inspector.settings import Settings
from inspector.stack import join_stack
from inspector.wiring.adapters import make_bucket


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--prefix", default="", help="Put the files under this prefix, for instance `2026/`.")
@click.option("--wait", is_flag=True, help="Wait until all are inspected, and show what was found.")
@click.option(
    "--timeout", "timeout_s", type=float, default=3600, show_default=True, help="Longest wait, seconds."
)
@click.pass_obj
def put(settings: Settings, files: tuple[Path, ...], prefix: str, wait: bool, timeout_s: float) -> None:
    """Drop FILES into the bucket.

    \b
      inspector put *.mp4
      inspector put --wait --prefix 2026/ holiday.mp4
    """
    joined = join_stack(settings)
    drops = {prefix + path.name: path for path in files}
    for key in drops:
        if not possible_key(key):
            raise InspectorError(f"{harmless(key)} cannot be a key: S3 takes up to 1,024 bytes of UTF-8")
    client = StatusClient(joined)
    if not wait:
        _upload(joined, drops)
        click.echo("\n".join(drops))
        return
    client.check_alive()
    awaited = {key: Awaited(path, _revision(client, key)) for key, path in drops.items()}
    _upload(joined, drops)
    videos = wait_for(
        client, list(drops), timeout_s, is_answer=lambda key, video: awaited[key].is_answered_by(video)
    )
    show(videos)
    if any(video["status"] in NOT_WELL for video in videos):
        sys.exit(3)


@dataclass(frozen=True)
class Awaited:
    """A file that is dropped. before: the revision of what was known of its key, None if nothing was."""

    path: Path
    before: int | None

    def is_answered_by(self, video: Video) -> bool:
        """Whether this is said of the file, and not of what lay under its key before."""
        return bool(video["revision"] != self.before or video["sha256"] == self._sha256)

    @cached_property
    def _sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _revision(client: StatusClient, key: str) -> int | None:
    try:
        video = client.one(key)
    except Unavailable:
        raise
    except InspectorError:
        return None
    revision: int = video["revision"]
    return revision if video["key"] == key else None


def _upload(settings: Settings, drops: dict[str, Path]) -> None:
    bucket = make_bucket(settings)
    with bars(DownloadColumn()) as progress:
        for key, path in drops.items():
            task = progress.add_task(harmless(path.name), total=path.stat().st_size)
            bucket.upload(path, key, on_bytes=partial(progress.advance, task))
