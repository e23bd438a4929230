"""Synthetic fingerprints drawn from the statistics of real clips.

What a film does over time is real: pieces of real fingerprints are glued together, with their cuts, their
moments of novelty, and the bits that turn over from frame to frame. What it shows is new: every shot, and
every second of sound, gets a hash of its own, drawn from normal variables cut at thresholds, whose
probabilities and correlations bit by bit are those of the real clips (Macke et al., "Generating spike trains
with specified correlation coefficients", 2009). So unrelated films share tokens as often as unrelated clips
do, low waves first; and some shots have one of a few looks that many
share. Every tenth film begins with the intro of a channel; the largest channels have the most films (Zipf).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inspector.model import Fingerprint, FloatArray, HashArray

DURATION_S: Final = 300.0
LEAST_PIECE_S: Final = 5.0
MOST_PIECE_S: Final = 40.0
SPEEDS: Final = (0.8, 1.25)  # of the pieces, so that no two have the same rhythm
INTRO_SHARE: Final = 0.1
INTRO_S: Final = 5.0
CHANNELS: Final = 300
#: Share of differing bits in hashes of frames, motion and sounds, at each tenth of the edited copies of a
#: corpus, mild to heavy; the tenth beyond these shares hardly more with its source than strangers do.
DAMAGE: Final = np.array(
    [
        (0.0, 0.0, 0.0),
        (0.002, 0.010, 0.024),
        (0.005, 0.017, 0.028),
        (0.007, 0.026, 0.038),
        (0.014, 0.041, 0.053),
        (0.023, 0.058, 0.072),
        (0.034, 0.075, 0.088),
        (0.062, 0.108, 0.091),
        (0.109, 0.156, 0.105),
        (0.200, 0.226, 0.135),
    ]
)
#: Hashed frames of a copy lie up to half a step beside those of its source.
JITTER_S: Final = 0.1
#: Some shots look like many others: a vignette, a plain wall, a title on dark. With these shares unrelated
#: films touch as many postings of each other as unrelated clips do: 3.3 in five minutes (real ones 3.8), of
#: which 2.1 (2.3) pass the check of further bits.
LOOK_SHARE: Final = 0.12
LOOKS: Final = 40
LOOK_ERRORS: Final = 0.01


class HashModel:
    """Random hashes with the bits' probabilities, and correlations, of the given ones."""

    def __init__(self, hashes: NDArray[np.unsignedinteger], bits: int) -> None:
        self._places = np.arange(bits, dtype=np.uint64)
        hashes = hashes if len(hashes) else np.zeros(1, np.uint64)  # silent, or still, as all clips are
        seen = ((hashes.astype(np.uint64)[:, None] >> self._places) & np.uint64(1)).astype(np.float64)
        share = np.clip(seen.mean(axis=0), 0.02, 0.98)
        centred = (seen - share) / np.sqrt(share * (1 - share))
        latent = np.sin(np.clip(centred.T @ centred / len(seen), -1, 1) * np.pi / 2)
        values, vectors = np.linalg.eigh(latent)
        scaled = vectors * np.sqrt(np.maximum(values, 0.02))
        self._mixing = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
        self._thresholds = _normal_quantile(1 - share)
        self._never = ~seen.any(axis=0)
        self.looks = self.draw(np.random.default_rng(4), LOOKS)

    def draw(self, rng: np.random.Generator, count: int) -> HashArray:
        """(count,) hashes."""
        normal = rng.standard_normal((count, len(self._places))) @ self._mixing.T
        bits = (normal > self._thresholds) & ~self._never
        return np.asarray((bits * (np.uint64(1) << self._places)).sum(axis=1), dtype=np.uint64)


def _normal_quantile(share: FloatArray) -> FloatArray:
    """Inverse of the normal distribution, read off a table."""
    x = np.linspace(-4, 4, 4001)
    cumulative = np.cumsum(np.exp(-(x**2) / 2))
    return np.interp(share, cumulative / cumulative[-1], x)


@dataclass(frozen=True, slots=True)
class Footage:
    """Real fingerprints, and how their hashes are distributed."""

    clips: tuple[Fingerprint, ...]
    frames: HashModel
    motion: HashModel
    sounds: HashModel


def make_footage(clips: Sequence[Fingerprint]) -> Footage:
    """Every clip has the same say in the distributions, however long it is."""
    rng = np.random.default_rng(0)

    def some(hashes: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        return hashes[rng.integers(0, len(hashes), 40)] if len(hashes) else hashes

    clips = tuple(clip for clip in clips if clip.duration_s >= LEAST_PIECE_S)
    motion = [some(clip.motion_hashes[clip.motion_hashes != 0]) for clip in clips]
    sounds = [some(clip.sound_hashes[clip.sound_weight > 0]) for clip in clips]
    return Footage(
        clips,
        HashModel(np.concatenate([some(clip.frame_hashes) for clip in clips]), 64),
        HashModel(np.concatenate(motion), 64),
        HashModel(np.concatenate(sounds), 32),
    )


def make_film(footage: Footage, seed: int, duration_s: float = DURATION_S) -> Fingerprint:
    """The film with this number; the same every time."""
    rng = np.random.default_rng((seed, 1))
    pieces = []
    if rng.random() < INTRO_SHARE:
        channel = min(int(rng.zipf(1.5)), CHANNELS)
        pieces.append(_make_piece(footage, np.random.default_rng((channel, 2)), INTRO_S))
    while (left_s := duration_s - sum(piece.duration_s for piece in pieces)) > 1.0:
        pieces.append(_make_piece(footage, rng, min(rng.uniform(LEAST_PIECE_S, MOST_PIECE_S), left_s)))
    return glue(pieces)


def _make_piece(footage: Footage, rng: np.random.Generator, duration_s: float) -> Fingerprint:
    """Part of a real clip that shows, and sounds like, something new."""
    clip = retimed(footage.clips[rng.integers(len(footage.clips))], rng.uniform(*SPEEDS))
    start_s = rng.uniform(0, max(clip.duration_s - duration_s, 0.01))
    return _disguised(footage, rng, cut_out(clip, start_s, min(start_s + duration_s, clip.duration_s)))


def retimed(f: Fingerprint, speed: float) -> Fingerprint:
    """Played `speed` times as fast."""
    times = {name: getattr(f, name) / speed for name in ("cuts_s", "frame_times_s", "sound_times_s")}
    return replace(f, duration_s=f.duration_s / speed, **times)


def _disguised(footage: Footage, rng: np.random.Generator, f: Fingerprint) -> Fingerprint:
    """Turn over the same bits in all frames of a shot (of a second of sound), so that its first is new."""
    shots = np.searchsorted(f.cuts_s, f.frame_times_s, side="right")
    frames = _masks(footage.frames, rng, f.frame_hashes, shots)
    motion = _masks(footage.motion, rng, f.motion_hashes, shots)
    sounds = _masks(footage.sounds, rng, f.sound_hashes.astype(np.uint64), f.sound_times_s.astype(np.intp))
    return replace(
        f,
        frame_hashes=f.frame_hashes ^ frames,
        motion_hashes=np.where(f.motion_hashes != 0, f.motion_hashes ^ motion, f.motion_hashes),
        sound_hashes=f.sound_hashes ^ sounds.astype(np.uint32),
        view_hashes=f.view_hashes ^ frames[f.view_frames],
        view_motion=np.where(f.view_motion != 0, f.view_motion ^ motion[f.view_frames], f.view_motion),
    )


def _masks(
    model: HashModel, rng: np.random.Generator, hashes: HashArray, groups: NDArray[np.intp]
) -> HashArray:
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    drawn = model.draw(rng, len(first))
    common = rng.random(len(first)) < LOOK_SHARE
    looks = model.looks[rng.integers(LOOKS, size=len(first))]
    drawn = np.where(common, looks ^ _errors(rng, len(first), LOOK_ERRORS, 32), drawn)
    return np.asarray((drawn ^ hashes[first])[inverse])


def make_copy(
    footage: Footage, source: Fingerprint, seed: int, duration_s: float = DURATION_S
) -> Fingerprint:
    """A film like any other, of which 20 s to all of it are a damaged excerpt of `source`."""
    rng = np.random.default_rng((seed, 3))
    taken_s = rng.uniform(20.0, source.duration_s)
    start_s = rng.uniform(0, source.duration_s - taken_s)
    taken = _damaged(cut_out(source, start_s, start_s + taken_s), rng)
    around_s = max(duration_s - taken_s, 2 * LEAST_PIECE_S)
    before_s = rng.uniform(0.5, 0.5 * around_s) + 1.0
    return glue(
        [
            make_film(footage, seed + 10**8, before_s),
            taken,
            make_film(footage, seed + 2 * 10**8, around_s - before_s),
        ]
    )


def _damaged(f: Fingerprint, rng: np.random.Generator) -> Fingerprint:
    """As one of the edits leaves it: other moments, other bits."""
    tenth = rng.uniform(0, len(DAMAGE) - 1)
    rates = [float(np.interp(tenth, np.arange(len(DAMAGE)), column)) for column in DAMAGE.T]
    moved = np.clip(f.frame_times_s + rng.uniform(-JITTER_S, JITTER_S), 0, f.duration_s)
    moving = f.motion_hashes != 0
    return replace(
        f,
        frame_times_s=moved,
        frame_hashes=f.frame_hashes ^ _errors(rng, len(f.frame_hashes), rates[0], 64),
        frame_novelty=(f.frame_novelty * rng.uniform(0.8, 1.25, len(f.frame_novelty))).astype(np.float32),
        motion_hashes=np.where(
            moving, f.motion_hashes ^ _errors(rng, len(moving), rates[1], 64), f.motion_hashes
        ),
        sound_hashes=f.sound_hashes ^ _errors(rng, len(f.sound_hashes), rates[2], 32).astype(np.uint32),
    )


def _errors(rng: np.random.Generator, count: int, rate: float, bits: int) -> HashArray:
    """Masks in which each bit but the first is set with this probability."""
    places = np.arange(1, bits, dtype=np.uint64)
    wrong = rng.random((count, len(places)), dtype=np.float32) < rate
    return np.asarray((wrong * (np.uint64(1) << places)).sum(axis=1), dtype=np.uint64)


def cut_out(f: Fingerprint, start_s: float, end_s: float) -> Fingerprint:
    """The stretch [start_s, end_s) alone."""
    frames = (f.frame_times_s >= start_s) & (f.frame_times_s < end_s)
    sounds = (f.sound_times_s >= start_s) & (f.sound_times_s < end_s)
    views = frames[f.view_frames]
    return Fingerprint(
        duration_s=end_s - start_s,
        cuts_s=f.cuts_s[(f.cuts_s > start_s) & (f.cuts_s < end_s)] - start_s,
        frame_times_s=f.frame_times_s[frames] - start_s,
        frame_hashes=f.frame_hashes[frames],
        frame_novelty=f.frame_novelty[frames],
        motion_hashes=f.motion_hashes[frames],
        sound_times_s=f.sound_times_s[sounds] - start_s,
        sound_hashes=f.sound_hashes[sounds],
        sound_weight=f.sound_weight[sounds],
        view_frames=(np.cumsum(frames) - 1)[f.view_frames[views]].astype(np.int32),
        view_kinds=f.view_kinds[views],
        view_hashes=f.view_hashes[views],
        view_motion=f.view_motion[views],
    )


def glue(pieces: Sequence[Fingerprint]) -> Fingerprint:
    """One after the other, with a cut between each two."""
    starts_s = np.cumsum([0.0, *(piece.duration_s for piece in pieces)])
    counts = np.cumsum([0, *(len(piece.frame_hashes) for piece in pieces)])
    columns: dict[str, Any] = {name: _joined(pieces, name) for name in _PLAIN}
    columns |= {name: _joined(pieces, name, starts_s) for name in _TIMES}
    columns["cuts_s"] = np.sort(np.concatenate((columns["cuts_s"], starts_s[1:-1])))
    frames = _joined(pieces, "view_frames", counts).astype(np.int32)
    order = np.lexsort((frames, _joined(pieces, "view_kinds")))
    columns |= {name: _joined(pieces, name)[order] for name in ("view_kinds", "view_hashes", "view_motion")}
    return Fingerprint(duration_s=float(starts_s[-1]), view_frames=frames[order], **columns)


_TIMES: Final = ("cuts_s", "frame_times_s", "sound_times_s")
_PLAIN: Final = ("frame_hashes", "frame_novelty", "motion_hashes", "sound_hashes", "sound_weight")


def _joined(pieces: Sequence[Fingerprint], name: str, shifts: Any = None) -> Any:
    """This array of all pieces, each shifted by its number if there are any."""
    columns = [getattr(piece, name) for piece in pieces]
    if shifts is not None:
        columns = [column + shift for column, shift in zip(columns, shifts, strict=False)]
    return np.concatenate(columns)
