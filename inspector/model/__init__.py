"""The project's words as types: frozen dataclasses that travel between the rooms."""

from inspector.model.arrays import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    SOUND_RATE_HZ,
    ByteArray,
    FloatArray,
    HashArray,
    IntArray,
    SoundArray,
)
from inspector.model.fingerprints import MOST_CHECKED_BITS, Fingerprint, Landmarks, Library, Postings, View
from inspector.model.jobs import Lease, Priority, Program, Progress, State
from inspector.model.matches import Candidate, Decision, Evidence, Match, Segment, Verdict, identical_match
from inspector.model.media import AudioInfo, Essence, FrameBatch, MediaInfo
from inspector.model.objects import EventKind, FileState, ObjectEvent, ObjectState, QueueMessage
from inspector.model.recordings import (
    ProcessIdentity,
    RecordedSegment,
    Recording,
    RecordingGap,
    RecordingState,
)
from inspector.model.status import (
    Change,
    DuplicateStatus,
    LoggedChange,
    LoggedChanges,
    Overview,
    VideoStatus,
    WorkerStatus,
)
from inspector.model.versions import ALGORITHM, COMPARABLE_SINCE, SEEN_SINCE

__all__ = [
    "ALGORITHM",
    "COMPARABLE_SINCE",
    "FRAME_HEIGHT",
    "FRAME_WIDTH",
    "MOST_CHECKED_BITS",
    "SEEN_SINCE",
    "SOUND_RATE_HZ",
    "AudioInfo",
    "ByteArray",
    "Candidate",
    "Change",
    "Decision",
    "DuplicateStatus",
    "Essence",
    "EventKind",
    "Evidence",
    "FileState",
    "Fingerprint",
    "FloatArray",
    "FrameBatch",
    "HashArray",
    "IntArray",
    "Landmarks",
    "Lease",
    "Library",
    "LoggedChange",
    "LoggedChanges",
    "Match",
    "MediaInfo",
    "ObjectEvent",
    "ObjectState",
    "Overview",
    "Postings",
    "Priority",
    "ProcessIdentity",
    "Program",
    "Progress",
    "QueueMessage",
    "RecordedSegment",
    "Recording",
    "RecordingGap",
    "RecordingState",
    "Segment",
    "SoundArray",
    "State",
    "Verdict",
    "VideoStatus",
    "View",
    "WorkerStatus",
    "identical_match",
]
