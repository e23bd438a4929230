"""Small films for tests of the whole way: moving shots cut together, copies and clips, and broken files."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

SIZE: Final = "320x180"
#: Moving lavfi sources, and for how many seconds each is shown: whole frames at 25/s.
SHOTS: Final = (
    ("testsrc2=sar=1", 2.2),
    ("mandelbrot=end_scale=0.01", 3.12),
    ("gradients=seed=1:speed=0.05:n=3:c0=#203060:c1=#e0a030:c2=#208050", 1.72),
    ("life=mold=10:ratio=0.3:seed=7:death_color=#C83232:life_color=#00ff00", 2.6),
    ("mandelbrot=start_x=-1.2:start_y=0.2:end_scale=0.02", 2.92),
    ("gradients=seed=5:speed=0.2:n=3:c0=#f0f0f0:c1=#101010:c2=#a02020", 2.32),
)


def make(path: Path, *arguments: str) -> Path:
    """Run ffmpeg with these arguments, writing to `path`."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def cut_together(path: Path, shots: Sequence[tuple[str, float]] = SHOTS, *, rate: str = "25") -> Path:
    """A film of moving shots; its cuts lie where the lengths add up to."""
    inputs = [
        word
        for source, seconds in shots
        for word in ("-f", "lavfi", "-t", str(seconds), "-i", f"{source}:size={SIZE}:rate={rate}")
    ]
    graph = "".join(f"[{n}:v]format=yuv420p[v{n}];" for n in range(len(shots)))
    graph += "".join(f"[v{n}]" for n in range(len(shots))) + f"concat=n={len(shots)}"
    return make(
        path, *inputs, "-filter_complex", graph, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "26"
    )


def cuts_of(shots: Sequence[tuple[str, float]] = SHOTS) -> list[float]:
    """Where the cuts of `cut_together` are, in seconds."""
    return [round(end, 3) for end in itertools.accumulate(seconds for _, seconds in shots)][:-1]


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A film, an edited copy, a clip from its middle, and an unrelated film."""
    folder = tmp_path_factory.mktemp("films")
    film = cut_together(folder / "film.mp4")
    return {
        "film": film,
        "edited": make(folder / "edited.mp4", "-i", str(film), "-vf", "hflip,scale=240:136", "-crf", "32"),
        "clip": make(folder / "clip.mp4", "-ss", "3.4", "-t", "8", "-i", str(film), "-crf", "30"),
        "other": cut_together(
            folder / "other.mp4",
            (("sierpinski=seed=3", 4.0), ("gradients=seed=9:n=3:c0=#10a010:c1=#f010f0:c2=#000040", 3.6)),
        ),
    }


def copies(film: Path, folder: Path, count: int) -> list[Path]:
    """Files with the same pictures and other bytes."""
    return [
        make(folder / f"copy{n:02}.mp4", "-i", str(film), "-c", "copy", "-metadata", f"comment={n}")
        for n in range(count)
    ]


def episodes(folder: Path, count: int) -> list[Path]:
    """Films that share their first five seconds, and nothing else."""
    return [
        cut_together(
            folder / f"episode{n}.mp4",
            (
                *SHOTS[:2],
                (f"gradients=seed={n}:speed=0.2:n=3:c0=#{n * 37:02x}f0f0:c1=#101010:c2=#a0{n:02x}20", 2.0),
                (f"life=seed={n}", 4.0),
            ),
        )
        for n in range(1, count + 1)
    ]


BrokenFile = Callable[[Path], Path]


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _without_index(path: Path) -> Path:
    whole = cut_together(path.with_name("whole.mp4"), SHOTS[:1]).read_bytes()
    return _write(path, whole[: len(whole) // 2])


def _playlist(path: Path) -> Path:
    target = cut_together(path.with_name("target.mp4"), SHOTS[:1])
    return _write(path, f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n".encode())


def _audio_only(path: Path) -> Path:
    return make(path, "-f", "lavfi", "-t", "2", "-i", "sine")


def _huge(path: Path) -> Path:
    return make(
        path, "-f", "lavfi", "-i", "color=s=16000x16000", "-frames:v", "1", "-c:v", "mjpeg", "-f", "mov"
    )


def _single_frame(path: Path) -> Path:
    return make(path, "-f", "lavfi", "-i", f"testsrc2=s={SIZE}", "-frames:v", "1", "-c:v", "mpeg4")


#: Files that are no videos, and the reasons by which they are rejected.
BROKEN: Final[dict[str, tuple[BrokenFile, tuple[str, ...]]]] = {
    "empty.mp4": (lambda path: _write(path, b""), ("empty",)),
    "text.mp4": (lambda path: _write(path, b"This is no video.\n" * 100), ("not_media",)),
    "no_index.mp4": (_without_index, ("unreadable", "not_media")),
    "audio_only.mp4": (_audio_only, ("no_video_stream",)),
    "playlist.mp4": (_playlist, ("disallowed_format",)),
    "huge.mov": (_huge, ("too_large_pixels",)),
    "instant.mp4": (_single_frame, ("too_short",)),
}
