"""What a file is, and what decoding gives."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.model.arrays import ByteArray, FloatArray


@dataclass(frozen=True, slots=True)
class AudioInfo:
    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What ffprobe says about a file, as far as we use it."""

    container: str
    duration_s: float | None
    start_time_s: float
    video_codec: str
    video_index: int
    width: int
    height: int
    rotation_deg: int
    frame_rate: float | None
    variable_frame_rate: bool
    size_bytes: int
    audio: AudioInfo | None = None
    audio_index: int | None = None
    bit_rate_bps: int | None = None

    @property
    def aspect(self) -> float:
        """Width by height of the picture as it is shown upright, in pixels."""
        sideways = self.rotation_deg in (90, 270)
        return self.height / self.width if sideways else self.width / self.height


@dataclass(frozen=True, slots=True)
class Essence:
    """What the chosen streams of a file hold, undecoded: the same in every container of the same packets.

    digest: sha256 of codecs, sizes, rotation and packets.  packet_times_ms: when packets evenly spread over
    the streams are presented, from the container's start.  duration_ms: what the container declares.
    """

    digest: bytes
    packet_times_ms: tuple[int, ...]
    duration_ms: int


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Consecutive decoded frames. times_s: (n,) float64; luma: (n, 36, 64) uint8, full range not assumed."""

    times_s: FloatArray
    luma: ByteArray
