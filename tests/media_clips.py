"""Clips made by ffmpeg's own sources, of which every test knows what is in them."""

from __future__ import annotations

import math
import struct
import subprocess
from pathlib import Path
from typing import Final

TONE: Final = ("-f", "lavfi", "-i", "sine=440:r=44100")
H264: Final = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
VP8: Final = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")


def make(path: Path, *arguments: str) -> Path:
    """Run ffmpeg with these arguments, and the path as its output."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


def pattern(*, rate: str = "25", size: str = "320x240") -> tuple[str, ...]:
    """Input arguments of a moving test picture."""
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}")


def cut_after(frames: int, *, rate: str) -> tuple[str, ...]:
    """Input arguments of black frames that turn white after so many of them."""
    black = f"drawbox=color=black:thickness=fill:enable=lt(n\\,{frames})"
    return ("-f", "lavfi", "-i", f"color=white:size=160x120:rate={rate},{black}")


def turn(path: Path, clockwise_deg: int) -> None:
    """Write into an mp4's first track that its picture is to be turned before it is shown.

    Source: ISO/IEC 14496-12, 8.3.2: the matrix of `tkhd`, version 0, lies 40 bytes behind the box's type.
    """
    data = bytearray(path.read_bytes())
    where = data.index(b"tkhd") + 4 + 40
    sine = round(math.sin(math.radians(clockwise_deg))) * 0x10000
    cosine = round(math.cos(math.radians(clockwise_deg))) * 0x10000
    data[where : where + 36] = struct.pack(">9i", cosine, sine, 0, -sine, cosine, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
