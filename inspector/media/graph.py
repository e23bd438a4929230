"""ffmpeg's arguments for the one decoding pass: small frames, sound, and the times of both beside them.

Every frame is split in two: its pixels go raw into one pipe, its time through the `framecrc` muxer (a line of
text per frame) into another; sound likewise. `inspector.media.streams` joins them again.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from inspector.media.opening import address, options
from inspector.model import FRAME_HEIGHT, FRAME_WIDTH, SOUND_RATE_HZ, MediaInfo
from inspector.settings import Preset, Settings

PIXELS: Final = "pixels"
FRAME_TIMES: Final = "frame_times"
SAMPLES: Final = "samples"
SOUND_TIMES: Final = "sound_times"

#: One thread per graph: the pictures are small. No rate of errors is a failure: take what can be decoded.
_GLOBAL: Final = (
    "-nostdin",
    "-hide_banner",
    "-v",
    "error",
    "-filter_complex_threads",
    "1",
    "-max_error_rate",
    "1",
)
#: Every frame once, at its own time; without a time base ffmpeg rounds times to one over the frame rate.
#: threads: of the raw "encoder", which would otherwise start one per core to copy 2 KB.
_RAW_FRAMES: Final = {
    "fps_mode": "passthrough",
    "enc_time_base": "1/1000000",
    "vcodec": "rawvideo",
    "threads": 1,
}

#: Clockwise degrees → filters that turn the picture so.
TURNS: Final[dict[int, tuple[tuple[str, dict[str, str]], ...]]] = {
    0: (),
    90: (("transpose", {"dir": "clock"}),),
    180: (("hflip", {}), ("vflip", {})),
    270: (("transpose", {"dir": "cclock"}),),
}


#: What decoders leave out in the preset `fast`: by default frames that no other frame is made of, and the
#: smoothing of block borders, which a picture of 64×36 hardly shows (0.6 levels off on average). Decoders of
#: VP8, VP9 and AV1 skip no frames, and gain nothing by skipping the smoothing.
_SKIP: Final = {"skip_frame": "noref", "skip_loop_filter": "all"}
_CANNOT_SKIP: Final = frozenset({"vp8", "vp9", "av1"})
#: Of these all B-frames are left out. Those of H.264 may serve other frames, which are then 1.6 to 3.6 levels
#: off on average until the next key frame; that costs no more matches than the default does. HEVC, whose
#: frames serve each other in deeper layers, breaks down altogether.
_WITHOUT_B_FRAMES: Final = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})


#: From a landing on, times stay those of the whole file.
_TIMES_OF_WHOLE: Final = ("-copyts", "-start_at_zero")
#: Formats whose clock may jump, which ffmpeg mends, but not with these options: times begin at the landing.
_CLOCK_MAY_JUMP: Final = frozenset({"mpegts", "mpeg", "ogg"})


def decoding_arguments(
    path: Path, media: MediaInfo, settings: Settings, *, landing_s: float | None = None
) -> list[str]:
    """The argument list that decodes the chosen streams once, into the pipes named above.

    landing_s: begin with the last key frame before it, instead of with the file.
    """
    frames, times = _small_frames(_opened(path, media, settings, landing_s), media)
    pictures = ffmpeg.merge_outputs(
        ffmpeg.output(frames, f"pipe:{PIXELS}", format="rawvideo", **_RAW_FRAMES),
        ffmpeg.output(times, f"pipe:{FRAME_TIMES}", format="framecrc", **_RAW_FRAMES),
    )
    whole = landing_s is not None and media.container not in _CLOCK_MAY_JUMP
    command: list[str] = ffmpeg.compile(
        pictures, cmd=["ffmpeg", *_GLOBAL, *(_TIMES_OF_WHOLE if whole else ())]
    )
    return command + (_sound_outputs(media.audio_index) if media.audio_index is not None else [])


def zero_of(media: MediaInfo, landing_s: float | None) -> Fraction:
    """Where the times that ffmpeg writes begin, in seconds from the container's start."""
    jumps = media.container in _CLOCK_MAY_JUMP
    return Fraction(_written(landing_s)) if landing_s is not None and jumps else Fraction(0)


def _written(landing_s: float) -> str:
    return f"{landing_s:.6f}"


def skipping(media: MediaInfo, settings: Settings) -> dict[str, str]:
    """Input options that make the decoder leave out what the preset does not need."""
    if settings.preset_for(media.duration_s) is not Preset.FAST or media.video_codec in _CANNOT_SKIP:
        return {}
    return {**_SKIP, "skip_frame": "bidir"} if media.video_codec in _WITHOUT_B_FRAMES else _SKIP


def _opened(path: Path, media: MediaInfo, settings: Settings, landing_s: float | None) -> Any:
    landing = {} if landing_s is None else {"ss": _written(landing_s), "noaccurate_seek": None}
    return ffmpeg.input(
        address(path),
        **landing,
        **options(settings),
        **skipping(media, settings),
        threads=settings.decoder_threads,
        noautorotate=None,  # would turn whole pictures; we turn small ones
    )


def _small_frames(source: Any, media: MediaInfo) -> tuple[Any, Any]:
    """The small luma frames as people see them (turned upright), twice."""
    sideways = media.rotation_deg in (90, 270)
    width, height = (FRAME_HEIGHT, FRAME_WIDTH) if sideways else (FRAME_WIDTH, FRAME_HEIGHT)
    frames = source[str(media.video_index)].filter("scale", width, height, flags="area")
    frames = frames.filter("format", "gray")
    for name, parameters in TURNS[media.rotation_deg]:
        frames = frames.filter(name, **parameters)
    both = frames.filter_multi_output("split", 2)
    return both[0], both[1]


def _sound_outputs(index: int) -> list[str]:
    """A second filter graph, which ffmpeg-python cannot add to the first.

    In one graph with the pictures, ffmpeg would keep whole decoded pictures in memory until the first sound
    arrives, which in a file with broken sound is never.
    """
    graph = (
        f"[0:{index}]aresample={SOUND_RATE_HZ},"
        f"aformat=sample_fmts=s16:sample_rates={SOUND_RATE_HZ}:channel_layouts=mono,asplit=2[sound][heard]"
    )
    samples = ["-map", "[sound]", "-c:a", "pcm_s16le", "-f", "s16le", f"pipe:{SAMPLES}"]
    times = ["-map", "[heard]", "-c:a", "pcm_s16le", "-f", "framecrc", f"pipe:{SOUND_TIMES}"]
    return ["-filter_complex", graph, *samples, *times]
