"""`inspector demo`: the whole way of four small videos, on a stack of its own that is gone afterwards."""

from __future__ import annotations

import socket
import sys
import tempfile
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import ffmpeg

from inspector.cli.client import StatusClient
from inspector.cli.stack import running_stack
from inspector.cli.status import Video, show, wait_for
from inspector.logs import configure_logging
from inspector.media import ToolLimits, run_tool
from inspector.settings import LogFormat, Settings
from inspector.wiring.adapters import make_bucket
from inspector.worker.supervisor import StopFlag, stop_on_signals

_SIZE: Final = "640x360"
_TIMEOUT_S: Final = 120.0
_LIMITS: Final = ToolLimits(memory_bytes=4 * 2**30, cpu_s=_TIMEOUT_S, file_bytes=100 * 2**20)

#: The shots of the films: lavfi sources that move, and for how many seconds each is shown.
_SHOTS: Final = (
    ("testsrc2=sar=1", 2.2),
    ("mandelbrot=end_scale=0.01", 3.12),
    ("gradients=seed=1:speed=0.05:n=3:c0=#203060:c1=#e0a030:c2=#208050", 1.72),
    ("life=mold=10:ratio=0.3:seed=7:death_color=#C83232:life_color=#00ff00", 2.6),
    ("gradients=seed=4:speed=0.1:n=3:c0=#f0e0d0:c1=#402010:c2=#2050a0", 1.32),
    ("gradients=seed=8:speed=0.1:n=3:c0=#000000:c1=#ffffff:c2=#c08040", 2.92),
    ("mandelbrot=start_x=-1.2:start_y=0.2:end_scale=0.02", 1.92),
    ("gradients=seed=5:speed=0.2:n=3:c0=#f0f0f0:c1=#101010:c2=#a02020", 2.32),
)
_OTHER_SHOTS: Final = (
    ("sierpinski=seed=3", 4.0),
    ("gradients=seed=9:speed=0.1:n=3:c0=#10a010:c1=#f010f0:c2=#000040", 3.52),
    ("testsrc2=sar=1", 2.52),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A pair that must be found, and the verdicts that are right for it."""

    key: str
    other: str
    verdicts: tuple[str, ...]


_EXPECTED: Final = (
    Expected("film.mp4", "film_edited.mp4", ("duplicate",)),
    Expected("film.mp4", "film_clip.mp4", ("contained",)),
    Expected("film_edited.mp4", "film_clip.mp4", ("contained",)),
)


@click.command()
@click.pass_obj
def demo(settings: Settings) -> None:
    """Show how it works: make four short videos, drop them into a bucket, and report what they share.

    A film, an edited copy of it, a clip from its middle, and another film. Takes about ten seconds, on free
    ports and in a temporary folder; exit code 0 if all pairs were found, and no other.
    """
    stop = StopFlag()
    stop_on_signals(stop)
    with tempfile.TemporaryDirectory(prefix="inspector-demo-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL, which does not run as root, must get through
        own = _own_settings(Path(folder), settings.log_format)
        configure_logging(own)
        click.echo("starting a stack of its own …", err=True)
        with redirect_stdout(sys.stderr), running_stack(own, stop) as stack:
            files = _make_videos(Path(folder), stop)
            bucket = make_bucket(stack.settings)
            for path in files:
                bucket.upload(path, path.name)
                click.echo(f"dropped {path.name} into s3://{bucket.name}", err=True)
            client = StatusClient(stack.settings)
            videos = wait_for(client, [path.name for path in files], _TIMEOUT_S, stop=stop)
    show(videos)
    faults = _faults(videos)
    for fault in faults:
        click.echo(f"inspector: {fault}", err=True)
    sys.exit(1 if faults else 0)


def _own_settings(folder: Path, log_format: LogFormat) -> Settings:
    """All settings as they are by default, whatever the environment says: it is about other stacks."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    own = {
        "data_dir": folder / "data",
        "port": _free_port(),
        "embedded_s3_port": _free_port(),
        "worker_metrics_port": 0,
        "log_level": "warning",
        "log_format": log_format,
    }
    return Settings(**{**defaults, **own})


def _make_videos(folder: Path, stop: StopFlag) -> list[Path]:
    film = _render(_cut_together(_SHOTS), folder / "film.mp4", stop)
    edited = (
        ffmpeg.input(str(film)).video.filter("hflip").filter("scale", 320, 180).filter("eq", brightness=0.06)
    )
    clip = ffmpeg.input(str(film), ss=4.0, t=9.0).video
    return [
        film,
        _render(edited, folder / "film_edited.mp4", stop),
        _render(clip, folder / "film_clip.mp4", stop),
        _render(_cut_together(_OTHER_SHOTS), folder / "other_film.mp4", stop),
    ]


def _cut_together(shots: tuple[tuple[str, float], ...]) -> ffmpeg.Stream:
    parts = [
        ffmpeg.input(f"{source}:size={_SIZE}:rate=25", f="lavfi", t=seconds).video.filter("format", "yuv420p")
        for source, seconds in shots
    ]
    return ffmpeg.concat(*parts, v=1, a=0)


def _render(video: ffmpeg.Stream, path: Path, stop: StopFlag) -> Path:
    options = {"vcodec": "libx264", "preset": "veryfast", "crf": 28, "loglevel": "error"}
    output = ffmpeg.output(video, str(path), **options).global_args("-nostdin", "-y")
    run_tool(ffmpeg.compile(output), deadline_s=_TIMEOUT_S, limits=_LIMITS, cancelled=stop.is_set)
    return path


def _faults(videos: list[Video]) -> list[str]:
    """What is not as it should be."""
    found = {(v["key"], d["key"]): d["verdict"] for v in videos for d in v["duplicates"]}
    faults = [f"{video['key']} is {video['status']}" for video in videos if video["status"] != "done"]
    for pair in _EXPECTED:
        for ends in ((pair.key, pair.other), (pair.other, pair.key)):
            verdict = found.pop(ends, None)
            if verdict not in pair.verdicts:
                faults.append(f"{ends[0]} and {ends[1]}: {verdict or 'not found'}, not {pair.verdicts[0]}")
    return faults + [f"{a} and {b} share nothing, but were called {v}" for (a, b), v in found.items()]


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
