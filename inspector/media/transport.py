"""MPEG transport streams as our ffmpeg writes them: cut into groups of pictures, and given other times.

A group begins at a key frame and holds everything up to the next one, packet by packet, so groups laid one
after the other are the stream again: nothing can be lost between two of them. ffmpeg writes each frame as one
PES packet without interruption, marks key frames by the random access indicator, and gives the first video
stream the packet id 0x100.

Source: ISO/IEC 13818-1, sections 2.4.3.2 (packets), 2.4.3.4 (adaptation field), 2.4.3.6 (PES packets).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from inspector.errors import NoPicture, ToolFailed
from inspector.model import ByteArray, IntArray

PACKET_BYTES: Final = 188
TICKS_PER_S: Final = 90_000
CLOCK_TICKS: Final = 2**33  # times begin anew after 26.5 hours
#: Without a key frame for so long a group is handed on as it is: about a minute of television.
MOST_GROUP_BYTES: Final = 64 * 2**20

_SYNC: Final = 0x47
_HEAD_PACKETS: Final = 16  # of a key frame: its parameters stand in the first of them
_VIDEO: Final = 0x100
_STREAMS_FROM: Final = 0x100  # what lies below, and the one above, are tables that ffmpeg repeats
_PROGRAM_MAP: Final = 0x1000
_TABLES: Final = (0, _PROGRAM_MAP)
_NULL: Final = 0x1FFF
#: Stream types of pictures: MPEG-1, MPEG-2, MPEG-4, H.264, HEVC, VVC, AVS, Dirac.
_PICTURES: Final = frozenset({0x01, 0x02, 0x10, 0x1B, 0x24, 0x33, 0x42, 0xD1})
_USUAL_FRAME_TICKS: Final = 3600  # 25 frames a second
#: How the units begin that tell size and profile, by the stream type in the program map: mask and value.
_PARAMETER_SETS: Final = {
    0x02: ((0xFF, 0xB3),),  # MPEG-2: sequence header
    0x1B: ((0x1F, 7),),  # H.264: sequence parameter set
    0x24: ((0x7E, 33 << 1),),  # HEVC: the same
}


@dataclass(frozen=True)
class Group:
    """A group of pictures with the sound beside it.

    packets: (n, 188) uint8, without tables.  tables: the packets a player needs before them.  key: whether it
    begins with a key frame.
    """

    packets: ByteArray
    tables: bytes
    key: bool

    @cached_property
    def starts(self) -> IntArray:
        """Indices of the packets in which a frame of picture or sound begins."""
        return np.flatnonzero(self.packets[:, 1] & 0x40)

    @cached_property
    def pictures(self) -> IntArray:
        """Presentation times of the pictures in ticks, in the order of decoding, not wrapped."""
        times = self._times(video=True)
        return times[:1] + _wrapped(times - times[:1])

    @cached_property
    def start(self) -> int:
        """When the earliest picture is shown, ticks."""
        return int(self.pictures.min())

    @cached_property
    def first(self) -> int:
        """When the first thing is shown or heard, ticks: what a container calls its start."""
        sound = self.start + _wrapped(self._times(video=False) - self.start)
        return int(min(self.start, sound.min())) if len(sound) else self.start

    @property
    def frame_ticks(self) -> int:
        """How long a picture is shown."""
        shown = np.unique(self.pictures)
        return round((shown[-1] - shown[0]) / (len(shown) - 1)) if len(shown) > 1 else _USUAL_FRAME_TICKS

    @property
    def end(self) -> int:
        """When the last picture's time is over, ticks."""
        return int(self.pictures.max()) + self.frame_ticks

    @property
    def identity(self) -> tuple[int, bytes]:
        """The same for the same group delivered again: when it is shown, and how its first picture begins."""
        begins = self._begins
        (later,) = np.nonzero(self.starts > begins)
        ends = int(self.starts[later[0]]) if len(later) else len(self.packets)
        return int(self.pictures[0]) % CLOCK_TICKS, self.packets[
            begins : min(begins + 4, ends), 20:
        ].tobytes()

    @property
    def parameters(self) -> tuple[bytes, bytes]:
        """What decoders are told of size and profile, and of the sound; empty where it is not told here."""
        return self._of_picture, self._of_sound

    @cached_property
    def _of_picture(self) -> bytes:
        kinds = _PARAMETER_SETS.get(_stream_type(self.tables), ())
        packets = self.packets[self._begins : self._begins + _HEAD_PACKETS]
        payload = b"".join(_payload(packet) for packet in packets if _pid(packet) == _VIDEO)
        units = payload.split(b"\x00\x00\x01")[2:]  # before the first, and the PES packet's own start
        told = [u for u in units for mask, kind in kinds if u and u[0] & mask == kind]
        return b"".join(unit.rstrip(b"\x00") for unit in told)

    @cached_property
    def _of_sound(self) -> bytes:
        """From the first frame of sound: kind, sample rate and channels."""
        heads = (_payload(self.packets[i]) for i in self.starts if _pid(self.packets[i]) != _VIDEO)
        return next((_sound_parameters(head) for head in heads), b"")

    @property
    def _begins(self) -> int:
        """Index of the packet in which the first picture begins."""
        return next(int(i) for i in self.starts if _pid(self.packets[i]) == _VIDEO)

    def _times(self, *, video: bool) -> IntArray:
        found = [
            time
            for i in self.starts
            if (_pid(self.packets[i]) == _VIDEO) is video and (time := _pts(self.packets[i])) is not None
        ]
        return np.array(found, dtype=np.int64)


class GroupReader:
    """Takes the stream in pieces of any size, and hands it on in groups.

    from_start: sound that comes before the first picture belongs to the first group; else it is left out.
    """

    def __init__(self, *, from_start: bool = False) -> None:
        self._from_start = from_start
        self._rest = b""
        self._waiting: list[ByteArray] = []
        self._waiting_bytes = 0
        self._tables: dict[int, bytes] = {}
        self._key = False

    def feed(self, data: bytes) -> Iterator[Group]:
        """The groups that are complete now. Raises NoPicture, or ToolFailed: it is no transport stream."""
        data = self._rest + data
        whole = len(data) // PACKET_BYTES * PACKET_BYTES
        self._rest = data[whole:]
        if not whole:
            return
        packets = np.frombuffer(data[:whole], np.uint8).reshape(-1, PACKET_BYTES)
        if not (packets[:, 0] == _SYNC).all():
            raise ToolFailed("ffmpeg wrote something that is no transport stream")
        pids = _pids(packets)
        for pid in _TABLES:
            for i in np.flatnonzero(pids == pid)[-1:]:
                self._tables[pid] = packets[i].tobytes()
        if _PROGRAM_MAP in self._tables and _stream_type(self._tables[_PROGRAM_MAP]) not in _PICTURES:
            raise NoPicture("the source shows no picture, or one that MPEG-TS does not carry")
        streams = (pids >= _STREAMS_FROM) & (pids != _PROGRAM_MAP) & (pids != _NULL)
        yield from self._divide(packets[streams])

    def finish(self, *, torn: bool) -> Iterator[Group]:
        """What is left, and no more comes. torn: the writer died, so its last frame may not be whole."""
        yield from self._close(torn=torn)
        self._rest = b""

    def _divide(self, packets: ByteArray) -> Iterator[Group]:
        begun = 0
        for key in _key_frames(packets):
            self._keep(packets[begun:key])
            if not self._from_start:
                yield from self._close()
            self._key, self._from_start, begun = True, False, key
        self._keep(packets[begun:])
        if self._waiting_bytes > MOST_GROUP_BYTES:
            yield from self._close()

    def _keep(self, packets: ByteArray) -> None:
        if len(packets):
            self._waiting.append(packets)
            self._waiting_bytes += packets.size

    def _close(self, *, torn: bool = False) -> Iterator[Group]:
        waiting, key = self._waiting, self._key
        self._waiting, self._waiting_bytes, self._key = [], 0, False  # who fails with it gets it once only
        if not waiting:
            return
        packets = np.concatenate(waiting)
        if torn:
            begins = np.flatnonzero(packets[:, 1] & 0x40)
            packets = packets[: begins[-1] if len(begins) else 0]
        group = Group(packets, b"".join(self._tables[pid] for pid in sorted(self._tables)), key)
        if len(packets) and len(group.pictures):
            yield group


class Stamp:
    """Gives groups other times and running continuity counters, as if one program had written all of them."""

    def __init__(self) -> None:
        self._counters: dict[int, int] = {}

    def apply(self, group: Group, shift: int) -> bytes:
        """The group with all its times moved by `shift` ticks, behind its tables."""
        tables = np.frombuffer(group.tables, np.uint8).reshape(-1, PACKET_BYTES)
        packets = np.concatenate([tables, group.packets])
        for packet in packets[len(tables) :]:
            if packet[3] & 0x20 and packet[4] and packet[5] & 0x10:
                _move_clock(packet, shift)
        for i in group.starts:
            _move_times(packets[len(tables) + i], shift)
        self._count(packets)
        return packets.tobytes()

    def _count(self, packets: ByteArray) -> None:
        """The continuity counter of each packet id goes up by one with each packet that has a payload."""
        pids = _pids(packets)
        for pid in np.unique(pids):
            rows = np.flatnonzero(pids == pid)
            payload = (packets[rows, 3] & 0x10) > 0
            last = self._counters.get(int(pid), -1)
            counted = last + np.cumsum(payload)
            packets[rows, 3] = (packets[rows, 3] & 0xF0) | (counted & 0x0F)
            self._counters[int(pid)] = int(counted[-1])


def apart(later: int, earlier: int) -> int:
    """How many ticks one time lies behind another, whichever of them has begun anew meanwhile."""
    return int(_wrapped(np.array(later - earlier, dtype=np.int64)))


def _wrapped(ticks: IntArray) -> IntArray:
    return (ticks + CLOCK_TICKS // 2) % CLOCK_TICKS - CLOCK_TICKS // 2


def _pids(packets: ByteArray) -> IntArray:
    return (packets[:, 1].astype(np.int64) & 0x1F) << 8 | packets[:, 2]


def _pid(packet: ByteArray) -> int:
    return (int(packet[1]) & 0x1F) << 8 | int(packet[2])


def _key_frames(packets: ByteArray) -> list[int]:
    """Indices of the packets in which a key frame begins."""
    begins = (packets[:, 1] & 0x40) > 0
    random_access = ((packets[:, 3] & 0x20) > 0) & (packets[:, 4] > 0) & ((packets[:, 5] & 0x40) > 0)
    return [int(i) for i in np.flatnonzero(begins & random_access & (_pids(packets) == _VIDEO))]


def _payload(packet: ByteArray) -> bytes:
    return packet[_payload_at(packet) :].tobytes()


def _payload_at(packet: ByteArray) -> int:
    return 4 + (1 + int(packet[4]) if packet[3] & 0x20 else 0)


def _sound_parameters(pes: bytes) -> bytes:
    """What the head of an AAC (ADTS), MPEG or AC-3 frame says of its sound; empty for any other.

    Source: ISO/IEC 13818-7, section 6.2; 11172-3, section 2.4.1.3; ETSI TS 102 366, section 4.3.
    """
    frame = pes[9 + pes[8] :] if len(pes) > 9 else b""
    if len(frame) > 4 and frame[0] == 0xFF and frame[1] & 0xE0 == 0xE0:
        channels = frame[3] & 0xC0
        if frame[1] & 0x06 == 0:  # AAC: profile, sample rate, channels
            return bytes((frame[1] & 0x06, frame[2] & 0xFD, channels))
        return bytes((frame[1] & 0x1E, frame[2] & 0x0C))  # MPEG: its channels change from frame to frame
    if frame[:2] == b"\x0b\x77" and len(frame) > 4:
        return bytes((0x0B, frame[4] & 0xC0))
    return b""


def _time_fields(packet: ByteArray) -> list[ByteArray]:
    """Where presentation and decoding time stand in the packet that begins a PES packet: five bytes each."""
    at = _payload_at(packet)
    head = packet[at:]
    if len(head) < 9 or bytes(head[:3]) != b"\x00\x00\x01":
        return []
    count = {2: 1, 3: 2}.get(int(head[7]) >> 6, 0)
    fields = [head[9 + 5 * n : 14 + 5 * n] for n in range(count)]
    return [field for field in fields if len(field) == 5]


def _pts(packet: ByteArray) -> int | None:
    fields = _time_fields(packet)
    return _read_time(fields[0]) if fields else None


def _read_time(field: ByteArray) -> int:
    a, b, c, d, e = (int(byte) for byte in field)
    return (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1


def _move_times(packet: ByteArray, shift: int) -> None:
    for field in _time_fields(packet):
        time = (_read_time(field) + shift) % CLOCK_TICKS
        field[0] = int(field[0]) & 0xF0 | time >> 29 & 0x0E | 1
        field[1] = time >> 22 & 0xFF
        field[2] = time >> 14 & 0xFE | 1
        field[3] = time >> 7 & 0xFF
        field[4] = time << 1 & 0xFE | 1


def _move_clock(packet: ByteArray, shift: int) -> None:
    """Move the program clock reference; its extension counts finer, and stays."""
    base = int.from_bytes(packet[6:11].tobytes(), "big") >> 7
    base = (base + shift) % CLOCK_TICKS
    moved = base << 7 | int(packet[10]) & 0x7F
    packet[6:11] = np.frombuffer(moved.to_bytes(5, "big"), np.uint8)


def _stream_type(tables: bytes) -> int:
    """Of the first stream that the program map names; 0 without a map."""
    for at in range(0, len(tables), PACKET_BYTES):
        packet = np.frombuffer(tables[at : at + PACKET_BYTES], np.uint8)
        if _pid(packet) == _PROGRAM_MAP:
            section = _payload(packet)[1:]
            described = 12 + ((section[10] & 0x0F) << 8 | section[11])
            return section[described]
    return 0
