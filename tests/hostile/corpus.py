"""Files that mean harm, or are just broken: made here, none of them kept.

Each function takes what it needs and returns {name: bytes}. A name says what a file does; its suffix what it
pretends to be. `Lure` says where the references lead: to a file of ours and to a server of ours, which must
both stay unread.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.hostile.boxes import (
    box,
    cluster,
    edit,
    element,
    full,
    info,
    matroska,
    number,
    patched,
    real,
    track,
)
from tests.media_clips import H264, TONE, VP8, make, pattern

Files = dict[str, bytes]

SECRET: Final = "a-secret-nobody-may-see"  # what the decoy holds
TRAK: Final = (b"moov", b"trak")
TABLE: Final = (*TRAK, b"mdia", b"minf", b"stbl")

#: Every container of the corpus, and what makes its pictures and sounds.
CONTAINERS: Final = {
    "mp4": (*H264, "-movflags", "+faststart"),
    "mkv": H264,
    "webm": (*VP8, "-c:a", "libopus"),
    "avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "ts": H264,
    "mov": H264,
    "flv": H264,
    "wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "ogg": ("-c:v", "libtheora", "-c:a", "libvorbis"),
}


@dataclass(frozen=True, slots=True)
class Lure:
    """What files refer to: a file on this machine that holds a secret and is a video, and a web server."""

    file: Path
    url: str


def films(folder: Path) -> Files:
    """A small, sound film in each container: 2 s of picture and sound."""
    return {
        f"film.{ending}": make(
            folder / f"film.{ending}", *pattern(size="96x64"), *TONE, "-t", "2", *codecs
        ).read_bytes()
        for ending, codecs in CONTAINERS.items()
    }


def corpus(lure: Lure, film: Files, folder: Path, *, many: int = 10**6) -> Files:
    """All of them but the truncated and the mutated ones. film: of `films`.  many: where there are many."""
    mp4, mov = film["film.mp4"], film["film.mov"]
    return {
        **playlists(lure),
        **references(lure, mov),
        **attachments(lure, film, folder),
        **polyglots(lure, mp4, film["film.avi"]),
        **giants(mp4, film["film.avi"], many // 10),
        **crowds(many),
        **odd_times(mp4, film["film.mkv"]),
        **tables(mov, many),
        **nests(),
        **bombs(many),
    }


# ---------------------------------------------------------------- references to elsewhere


def playlists(lure: Lure) -> Files:
    """Texts that name other files, and call themselves videos."""
    uri = lure.url
    targets = {
        "file": str(lure.file),
        "http": f"{uri}/in-playlist.ts",
        "subfile": f"subfile,,start,0,end,0,,:{lure.file}",
        "concat": f"concat:{lure.file}|{lure.file}",
        "crypto": f"crypto+file://{lure.file}",
    }
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
    texts = {f"hls-{name}.mp4": hls.format(target) for name, target in targets.items()}
    texts |= {
        "hls-key.ts": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{uri}/key"\n#EXTINF:1,\ndata:,x\n',
        "hls-master.mkv": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{uri}/variant.m3u8\n",
        "hls.m3u8": hls.format(lure.file),
        "ffconcat.mov": f"ffconcat version 1.0\nfile '{lure.file}'\n",
        "concat.webm": f"file '{lure.file}'\n",
        "ffconcat-http.mp4": f"ffconcat version 1.0\nfile '{uri}/concat.mp4'\n",
        "dash.mp4": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="dash:profile" '
            f'type="static"><BaseURL>{uri}/</BaseURL><Period><AdaptationSet><Representation id="1">'
            f"<BaseURL>{lure.file}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        ),
        "entity.mpd": (
            f'<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY x SYSTEM "file://{lure.file}">'
            f'<!ENTITY y SYSTEM "{uri}/entity">]><MPD>&x;&y;</MPD>'
        ),
        "imf.mxf": (
            '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
            f"<Id>{uri}</Id></CompositionPlaylist>"
        ),
        "smil.mp4": f'<smil><body><video src="{uri}/smil.mp4"/></body></smil>',
        "asx.wmv": f'<ASX version="3.0"><Entry><Ref href="{uri}/asx.wmv"/></Entry></ASX>',
        "reference.asf": f"[Reference]\nRef1={uri}/ref.asf\n",
        "pls.avi": f"[playlist]\nFile1={lure.file}\nNumberOfEntries=1\n",
        "sdp.mp4": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video {_port(uri)} RTP/AVP 96\n",
        "avisynth.avi": f'#!\nAviSource("{lure.file}")\n',
        "rtsp.mov": f"RTSPtext\r\nrtsp://127.0.0.1:{_port(uri)}/x\r\n",
        "svg.mp4": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{uri}/svg"/></svg>',
    }
    return {name: text.encode() for name, text in texts.items()}


def _port(url: str) -> str:
    return url.rpartition(":")[2]


def references(lure: Lure, mov: bytes) -> Files:
    """QuickTime tracks whose data lie elsewhere, and films that name a film to be played instead."""
    dref = (*TRAK, b"mdia", b"minf", b"dinf", b"dref")

    def lying(entry: bytes) -> bytes:
        return edit(mov, dref, lambda _: full(b"dref", struct.pack(">I", 1) + entry))

    http, local = lure.url.encode() + b"/dref\0", f"file://{lure.file}\0".encode()
    rmdr = full(b"rdrf", b"url " + struct.pack(">I", len(http)) + http)
    return {
        "dref-url-http.mov": lying(full(b"url ", http)),
        "dref-url-file.mov": lying(full(b"url ", local)),
        "dref-urn.mov": lying(full(b"urn ", b"x\0" + http)),
        "dref-alias.mov": lying(full(b"alis", _alias(lure.file))),
        "rmra.mov": box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"rmra", box(b"rmda", rmdr))),
    }


def _alias(path: Path) -> bytes:
    """A Macintosh alias that names a file by its absolute path, as `mov` demuxers read it."""
    volume, name = b"Disk".ljust(27, b"\0"), path.name.encode()[:63].ljust(63, b"\0")
    head = b"\0" * 10 + bytes([4]) + volume + b"\0" * 12 + bytes([len(path.name)]) + name + b"\0" * 16
    tail = struct.pack(">HH", 0, 0) + b"\0" * 16
    absolute = f"Disk:{str(path).lstrip('/').replace('/', ':')}".encode()
    records = b"".join(
        struct.pack(">HH", kind, len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in ((2, absolute), (18, str(path).encode()))
    )
    return head + tail + records + struct.pack(">HH", 0xFFFF, 0)


def attachments(lure: Lure, film: Files, folder: Path) -> Files:
    """Matroska with attached playlists and fonts, and subtitles that name files and addresses."""
    (folder / "list.m3u8").write_bytes(playlists(lure)["hls-file.mp4"])
    (folder / "in.mkv").write_bytes(film["film.mkv"])
    (folder / "in.ass").write_text(
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        f"Style: Default,{lure.file},20\n\n[Fonts]\nfontname: {lure.file}\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Text\n"
        f"Dialogue: 0,0:00:00.00,0:00:02.00,Default,{{\\fn{lure.url}/font}}<img src='{lure.url}/img'>\n"
    )
    both = (
        "-i",
        str(folder / "in.mkv"),
        "-i",
        str(folder / "in.ass"),
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
    )
    attached = (
        "-attach",
        str(folder / "list.m3u8"),
        "-metadata:s:t",
        "mimetype=application/vnd.apple.mpegurl",
    )
    font = ("-attach", str(folder / "list.m3u8"), "-metadata:s:t", "mimetype=application/x-truetype-font")
    tags = ("-metadata", f"comment={lure.url}/tag", "-metadata", "title=<script>alert(1)</script>\x1b[31m")
    return {
        "attached-list.mkv": make(folder / "a.mkv", *both, *attached, *tags).read_bytes(),
        "attached-font.mkv": make(folder / "b.mkv", *both, *font).read_bytes(),
        "linked-segment.mkv": matroska(
            element("1549A966", number("2AD7B1", 10**6) + element("3C83AB", str(lure.file).encode())),
            element("1654AE6B", track(1)),
        ),
    }


def polyglots(lure: Lure, mp4: bytes, avi: bytes) -> Files:
    """Playlists before, after or inside of something that is a video, or begins like one."""
    text = playlists(lure)["hls-http.mp4"]
    gab2 = b"GAB2\0\x02\0" + struct.pack("<I", 0) + struct.pack("<H", 4) + struct.pack("<I", len(text)) + text
    chunk = avi.index(b"01wb")
    (size,) = struct.unpack_from("<I", avi, chunk + 4)
    subtitle = (
        avi[:chunk]
        + b"01tx"
        + struct.pack("<I", size)
        + gab2.ljust(size, b"\n")[:size]
        + avi[chunk + 8 + size :]
    )
    lines = b"\0" * 4 + text
    return {
        "list-before-film.mp4": text + mp4,
        "list-after-film.mp4": mp4 + text,
        "list-in-free-box.mp4": box(b"free", text) + mp4,
        "list-after-blank.mp4": b"\n" * 40 + text,
        "list-as-utf16.mp4": b"\xff\xfe" + text.decode().encode("utf-16-le"),
        "list-after-id3.mp4": b"ID3\x04\0\0\0\0\0\x0a" + b"\0" * 10 + text,
        "list-as-ts.ts": (b"\x47" + lines).ljust(188, b"\n") * 10,
        # The hole of 2016: a subtitle inside an AVI that is a playlist.
        "list-as-subtitle.avi": subtitle.replace(b"auds", b"txts", 1),
    }


#: Names under which a sound film lies: it must be seen as what it is, whatever it is called.
NAMES: Final = (
    "-i",
    "--help.mp4",
    "pipe:0.mp4",
    "concat:a|b.mp4",
    "http:127.0.0.1.mp4",
    "file:x.mp4",
    "subfile,,start,0,end,0,,:x.mp4",
    "image%04d.mp4",
    "* ? [a].mp4",
    "new\nline.mp4",
    "$(id);`id`.mp4",
)


# ---------------------------------------------------------------- sizes and numbers


def giants(mp4: bytes, avi: bytes, many: int) -> Files:
    """Pictures as large, and frames as many, as numbers can say."""
    entry = (*TABLE, b"stsd")
    sizes = edit(mp4, entry, patched(8 + 8 + 8 + 24, ">HH", 65535, 65535))
    strf = avi.index(b"strf") + 8
    wide = bytearray(avi)
    struct.pack_into("<ii", wide, strf + 4, 2**31 - 1, 2**31 - 1)
    fast = bytearray(avi)
    struct.pack_into("<II", fast, avi.index(b"strh") + 8 + 20, 1, 2**31 - 1)
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    picture = b"\x2c" + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\x02\x44\x01\0"
    one = b"\x21\xf9\x04\0\x02\0\0\0\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
    small = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    raw = cluster(0, *((t, bytes(64 * 64 * 3 // 2)) for t in range(3)))
    return {
        "dimensions.mp4": sizes,
        "dimensions.avi": bytes(wide),
        "dimensions.gif": gif + picture * 3 + b"\x3b",
        "dimensions.mkv": matroska(info(), element("1654AE6B", track(1, width=2**31, height=2**31)), raw),
        "overflow.mkv": matroska(info(), element("1654AE6B", track(1, width=2**63, height=2)), raw),
        "pixels-by-one.mkv": matroska(info(), element("1654AE6B", track(1, width=2**26, height=1)), raw),
        "dimensions.ivf": b"DKIF\0\0\x20\0VP90"
        + struct.pack("<HHIIII", 65535, 65535, 30, 1, 9, 0)
        + bytes(99),
        "frame-rate.avi": bytes(fast),
        "frame-rate.mkv": matroska(info(), element("1654AE6B", track(1, number("23E383", 1))), raw),
        "frame-rate.mp4": edit(mp4, (*TRAK, b"mdia", b"mdhd"), patched(20, ">I", 2**31 - 1)),
        "many-frames.gif": small + one * many + b"\x3b",
    }


def crowds(many: int) -> Files:
    """A million streams, as far as a container can hold them."""
    traks = box(b"ftyp", b"isom\0\0\0\0isom") + box(b"moov", box(b"trak") * 10**6)
    entries = b"".join(b"\xae\x86\xd7\x81\x01\x83\x81\x01" for _ in range(many))
    pages = b"".join(
        b"OggS\0\x02" + struct.pack("<qIII", 0, serial, 0, 0) + b"\x01\x08\x80theora\0"
        for serial in range(many)
    )
    return {
        "million-streams.mp4": traks,
        "many-streams.mkv": matroska(info(), element("1654AE6B", entries)),
        "many-streams.ogg": pages,
        "all-programs.ts": _transport_stream(),
    }


def _transport_stream() -> bytes:
    """A TS that declares as many streams as its program maps can hold."""

    def section(table: int, number: int, body: bytes) -> bytes:
        data = bytes([table]) + struct.pack(">H", 0xB000 | len(body) + 9)
        data += struct.pack(">HBBB", number, 0xC1, 0, 0) + body
        return data + struct.pack(">I", _crc32_mpeg(data))

    def packets(pid: int, data: bytes) -> Iterator[bytes]:
        data = b"\0" + data
        for n, at in enumerate(range(0, len(data), 184)):
            start = 0x4000 if at == 0 else 0
            head = b"\x47" + struct.pack(">H", start | pid) + bytes([0x10 | n & 15])
            yield head + data[at : at + 184].ljust(184, b"\xff")

    maps = range(0x20, 0x60)
    out = list(packets(0, section(0, 1, b"".join(struct.pack(">HH", n, 0xE000 | n) for n in maps))))
    for at, pid in enumerate(maps):
        streams = range(0x100 + at * 100, 0x200 + at * 100)
        body = struct.pack(">HH", 0xE100, 0xF000) + b"".join(
            b"\x1b" + struct.pack(">HH", 0xE000 | s % 0x1FFF, 0xF000) for s in streams[:150]
        )
        out += packets(pid, section(2, pid, body))
    return b"".join(out) * 20


def _crc32_mpeg(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def odd_times(mp4: bytes, mkv: bytes) -> Files:
    """Durations and presentation times that no clock shows."""
    raw = bytes(64 * 64 * 3 // 2)
    tracks = element("1654AE6B", track(1))
    floats = {"infinite": math.inf, "nan": math.nan, "negative": -1e300, "huge": 1e300}
    files = {
        f"duration-{name}.mkv": matroska(
            info(duration=value), tracks, cluster(0, *((t, raw) for t in range(3)))
        )
        for name, value in floats.items()
    }
    where = mkv.index(bytes.fromhex("1f43b675"))
    stts = (*TABLE, b"stts")
    return files | {
        "cluster-at-the-end-of-time.mkv": matroska(
            info(), tracks, cluster(2**63 - 1, (0, raw), (32767, raw))
        ),
        "clusters-backwards.mkv": matroska(
            info(), tracks, *(cluster(2**40 - n * 10**6, (0, raw)) for n in range(50))
        ),
        "timescale-zero.mkv": matroska(info(scale=0), tracks, cluster(0, (0, raw), (1, raw))),
        "timescale-huge.mkv": matroska(info(scale=2**63), tracks, cluster(1, (0, raw), (1, raw))),
        "a-gap-of-ages.mkv": mkv[:where] + mkv[where:].replace(b"\xe7\x81\x00", b"\xe7\x81\x7f"),
        "duration-max.mp4": edit(mp4, (b"moov", b"mvhd"), patched(20, ">II", 1, 2**32 - 1)),
        "timescale-zero.mp4": edit(mp4, (*TRAK, b"mdia", b"mdhd"), patched(20, ">I", 0)),
        "frames-of-years.mp4": edit(
            mp4, stts, lambda _: full(b"stts", struct.pack(">III", 1, 50, 2**31 - 1))
        ),
        "negative-deltas.mp4": edit(
            mp4, stts, lambda _: full(b"stts", struct.pack(">III", 1, 50, 2**32 - 1))
        ),
        "starts-late.mp4": edit(
            mp4,
            (*TRAK, b"edts", b"elst"),
            lambda _: full(b"elst", struct.pack(">IIiI", 1, 2**32 - 1, -1, 0x10000)),
        ),
    }


def tables(mov: bytes, most_entries: int) -> Files:
    """Sample tables that claim, or hold, far more than there is. mov: its index stands at the end."""
    most = 2**32 - 1
    many = struct.pack(">III", 1, 1, 1)
    counts = {
        b"stts": struct.pack(">III", 1, most, 1),
        b"stsc": struct.pack(">IIII", 1, 1, most, 1),
        b"stsz": struct.pack(">II", 1, most),
        b"stco": struct.pack(">I", most),
        b"stss": struct.pack(">I", most),
    }
    files = {
        f"claims-{kind.decode()}.mov": edit(mov, (*TABLE, kind), lambda _, k=kind, b=body: full(k, b))  # type: ignore[misc]
        for kind, body in counts.items()
    }
    bomb = edit(mov, (*TABLE, b"stsz"), lambda _: full(b"stsz", struct.pack(">II", 1, 10**8)))
    bomb = edit(bomb, (*TABLE, b"stsc"), lambda _: full(b"stsc", struct.pack(">IIII", 1, 1, 10**8, 1)))
    edits = struct.pack(">I", most_entries // 10) + struct.pack(">IiI", 1, 0, 0x10000) * (most_entries // 10)
    return files | {
        "hundred-million-samples.mov": bomb,
        "many-stsc.mov": edit(
            mov,
            (*TABLE, b"stsc"),
            lambda _: full(b"stsc", struct.pack(">I", most_entries) + many * most_entries),
        ),
        "many-edits.mov": edit(mov, (*TRAK, b"edts", b"elst"), lambda _: full(b"elst", edits)),
        "fragments.mp4": _fragments(mov, 10**8),
        "many-fragments.mp4": _fragments(mov, 1) + _fragment(1) * (most_entries // 50),
    }


def _fragments(mov: bytes, samples: int) -> bytes:
    extends = full(b"trex", struct.pack(">IIIII", 1, 1, 1, 1, 0))
    moov = edit(mov, (b"moov",), lambda whole: box(b"moov", whole[8:] + box(b"mvex", extends)))
    return moov + _fragment(samples)


def _fragment(samples: int) -> bytes:
    """A fragment whose samples all have the default size, so they cost not one byte of the file."""
    header = full(b"tfhd", struct.pack(">I", 1), flags=0x20000)
    run = full(b"trun", struct.pack(">I", samples))
    return box(b"moof", full(b"mfhd", struct.pack(">I", 1)) + box(b"traf", header + run)) + box(b"mdat", b"x")


def nests() -> Files:
    """Boxes in boxes in boxes."""

    def nested(kind: bytes, depth: int) -> bytes:
        total = 8 * depth
        return b"".join(struct.pack(">I", total - 8 * n) + kind for n in range(depth))

    def nested_elements(name: str, depth: int) -> bytes:
        data = b""
        for _ in range(depth):
            data = element(name, data)
        return data

    ftyp = box(b"ftyp", b"isom\0\0\0\0isom")
    deep = 20_000
    sizes = [struct.pack(">Q", (deep - n) * 12 | 1 << 56) for n in range(1, deep)]
    endless = bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7
    head = element("1A45DFA3", element("4282", b"matroska"))
    return {
        "nested-moov.mp4": ftyp + nested(b"moov", 100_000),
        "nested-trak.mp4": ftyp + box(b"moov", nested(b"udta", 100_000)),
        "nested-meta.mov": ftyp + box(b"moov", nested(b"ilst", 100_000)),
        "nested-segments.mkv": head + b"".join(bytes.fromhex("18538067") + s for s in sizes),
        "endless-segments.mkv": head + endless * 100_000,
        "nested-tags.mkv": matroska(
            info(),
            element("1654AE6B", track(1)),
            element("1254C367", element("7373", nested_elements("67C8", 500))),
        ),
        "nested-lists.avi": b"RIFF"
        + struct.pack("<I", 2**31)
        + b"AVI "
        + (b"LIST" + struct.pack("<I", 2**30) + b"hdrl") * 100_000,
        "sizes-of-nothing.mp4": ftyp + struct.pack(">I4s", 1, b"moov") + struct.pack(">Q", 2**63 - 1),
        "zero-sized-boxes.mp4": ftyp + b"\0\0\0\0free" * 100_000,
    }


def bombs(many: int) -> Files:
    """Little that becomes much: compressed headers, compressed frames, cues without end."""
    zeros = zlib.compress(bytes(200 * 2**20), 9)
    moov = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", 200 * 2**20) + zeros)
    liar = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", 2**32 - 16) + zeros)
    squeezed = element("6D80", element("6240", element("5034", number("4254", 0))))
    cues = b"".join(b"\xbb\x8b\xb3\x81\x01\xb7\x86\xf7\x81\x01\xf1\x81\x01" for _ in range(many))
    png = _png(20_000, 20_000)
    cover = box(b"covr", box(b"data", struct.pack(">II", 14, 0) + png))
    meta = box(b"udta", full(b"meta", full(b"hdlr", b"\0\0\0\0mdirappl" + bytes(9)) + box(b"ilst", cover)))
    ftyp = box(b"ftyp", b"qt  \0\0\0\0qt  ")
    header = info() + element("1654AE6B", track(1))
    return {
        "compressed-moov.mov": ftyp + box(b"moov", box(b"cmov", moov)),
        "compressed-moov-liar.mov": ftyp + box(b"moov", box(b"cmov", liar)),
        "compressed-frames.mkv": matroska(
            info(), element("1654AE6B", track(1, squeezed)), cluster(0, *((t, zeros) for t in range(10)))
        ),
        "many-cues.mkv": matroska(header, element("1C53BB6B", cues), cluster(0, (0, bytes(6144)))),
        "cues-to-nowhere.mkv": matroska(
            element(
                "114D9B74",
                element("4DBB", element("53AB", bytes.fromhex("1C53BB6B")) + number("53AC", 2**62)),
            ),
            header,
            cluster(0, (0, bytes(6144)), (1, bytes(6144))),
        ),
        "cover.m4v": ftyp + box(b"moov", meta),
        "png-frames.mkv": matroska(
            info(), element("1654AE6B", track(1, codec=b"V_MS/VFW/FOURCC")), cluster(0, (0, png))
        ),
        "laced.mkv": matroska(
            header,
            element("1F43B675", number("E7", 0) + element("A3", b"\x81\0\0\x02\xff" + bytes(100)) * 20_000),
        ),
        "element-sizes.mkv": matroska(
            header, element("1F43B675", element("A3", b"\x81\0\0\x80", size=2**55))
        ),
        "live-forever.mkv": matroska(
            element("1549A966", number("2AD7B1", 10**9) + real("4489", 0)),
            element("1654AE6B", track(1)),
            *(cluster(n * 10**6, (0, bytes(6144))) for n in range(50)),
        ),
    }


def _png(width: int, height: int) -> bytes:
    """A picture of nothing that is large only once it is unpacked."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = zlib.compressobj(9)
    lines = b"".join(packed.compress(bytes(1 + width // 8)) for _ in range(height)) + packed.flush()
    size = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


# ---------------------------------------------------------------- damage


def truncated(name: str, data: bytes) -> Files:
    """The file cut off at every twentieth of it."""
    return {f"cut-{n:02}-{name}": data[: len(data) * n // 20] for n in range(1, 20)}


def mutated(film: Files, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many mutations, container after container; the same for the same seed.

    Bits flipped, bytes replaced by extremes, pieces moved, doubled or left out; more often where headers are.
    """
    names: Sequence[str] = sorted(film)
    for n in range(count):
        rng = random.Random(seed * 1_000_003 + n)
        name = names[n % len(names)]
        data = bytearray(film[name])
        for _ in range(rng.choice((1, 3, 10, 40, 150))):
            _damage(data, rng)
        yield f"mutant-{seed}-{n:04}-{name}", bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    reach = rng.choice((200, 2000, len(data)))
    at = rng.randrange(min(reach, len(data)))
    if rng.random() < 0.5:
        at = len(data) - 1 - at
    kind = rng.randrange(20)
    if kind < 10:
        data[at] ^= 1 << rng.randrange(8)
    elif kind < 18:
        data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    else:
        piece = data[at : at + rng.randrange(1, 300)]
        where = rng.randrange(len(data))
        data[where : where + (len(piece) if kind == 18 else 0)] = piece
