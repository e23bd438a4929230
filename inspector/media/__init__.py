"""The eyes and ears: what a file is, and what can be seen and heard in it."""

from inspector.media.decode import Decoded, decode_media, plan_of
from inspector.media.essence import read_essence
from inspector.media.probe import probe_media
from inspector.media.sandbox import SandboxStatus, sandbox_status
from inspector.media.segments import PLACE_PARTS, Place
from inspector.media.tool import ToolLimits, run_tool

__all__ = [
    "PLACE_PARTS",
    "Decoded",
    "Place",
    "SandboxStatus",
    "ToolLimits",
    "decode_media",
    "plan_of",
    "probe_media",
    "read_essence",
    "run_tool",
    "sandbox_status",
]
