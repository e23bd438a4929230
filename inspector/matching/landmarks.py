"""Landmarks: tokens and their times, by which the index finds contents that may share something with a query.

Four sources, each sparse in the index and dense in the query, so that both need not pick the same moments:

- cuts: the three intervals of four cuts out of five neighbouring ones. One missing or invented cut between
  them leaves other fours whole (Indyk, Iyengar & Shivakumar, "Finding pirated video sequences on the
  internet", 1999, used runs of shot lengths, which break).
- frames: the lowest DCT signs of a frame, in a coarse and a finer cut, put into the one of its eight mirrored
  and turned forms that all of them share. The index keeps frames at peaks of novelty, which lie at the same
  moments in every copy; the query shows all its frames (in coarse tokens two a second), and its own foremost
  ones also with a bit or two turned over.
- motion: the same of what moves at these frames; captions, logos and bars, which stand still, are not in it.
  Parts of the picture (`model.View`) make the same tokens as whole ones, fewer of them, so that a crop or an
  inset meets what it was taken from, whichever of the two is in the index.
- sounds: most of a sub-fingerprint, kept at peaks of its weight.

A token is short, so that copies keep it, and many unrelated contents share it. Beside each but
those of cuts stand up to 32 further bits that need not be equal, only alike: the index compares them on the
spot, and most of the unrelated go no further.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inspector.matching.guises import seen_as
from inspector.matching.tokens import (
    FASTEST,
    Kind,
    Tokens,
    cut_tokens,
    frame_tokens,
    gather,
    sound_tokens,
    thinned,
    turned_over,
)
from inspector.model import Fingerprint, FloatArray, Landmarks, View
from inspector.peaks import count_greater, find_peaks

#: Kept frames are peaks of novelty among their neighbours, kept sounds of weight among those within so many
#: seconds ...
FRAME_REACH_S: Final = 0.25
SOUND_REACH_S: Final = 0.5
#: ... and of these the foremost among those within so many seconds: wherever a clip stands in a long content,
#: some of its moments are kept. With the foremost of the whole content half of the clips in the midst of
#: livelier footage were lost; these find 9 in 10.
AROUND_S: Final = 5.0
#: Sounds that say less make no landmark; the query is a little more generous.
LEAST_WEIGHT: Final = 0.2
LEAST_QUERY_WEIGHT: Final = 0.1
#: At most so many landmarks per second of video: of frames, motion and sounds the foremost are kept, of cuts
#: those that the tokens themselves decide on. A content may always have a handful: short ones would be lost
#: otherwise, and weigh nothing in an index of hours. Coarse tokens, which more unrelated contents share,
#: get little more than that: a long content is found by its many fine ones.
FRAMES_PER_S: Final = {
    Kind.COARSE_FRAME: 0.05,
    Kind.FINE_FRAME: 0.5,
    Kind.COARSE_MOTION: 0.05,
    Kind.FINE_MOTION: 0.25,
}
SOUNDS_PER_S: Final = 0.15
CUTS_PER_S: Final = 0.1
HANDFUL: Final = 16
#: Of a query no more frames are asked for in coarse tokens than these, evenly: it would read too many rows.
COARSE_PER_S: Final = 2.0
COARSE_HANDFUL: Final = 100
#: Of a query that is not short fine motion is asked for at so many foremost frames a second, four times as
#: many as the index keeps, and beside them: what lies elsewhere found no copy.
FINE_MOTION_PER_S: Final = 1.0
#: Of a token that stays the same from frame to frame every so manieth is asked for: once a second, where
#: every frame is shown.
EVERY: Final = 5
#: A cut token has eight forms, nearest and next nearest values of three intervals.
CUT_FORMS: Final = 8


class Nearly(NamedTuple):
    """How many are also asked for with bits turned over, and how many bits at most, in a short query; and
    whether a longer one asks for any.
    """

    least: int
    bits: int
    at_length: bool = True


#: The foremost of a query are also asked for with bits turned over: at least so many, with up to so many
#: bits in a query that is short, because it is all there is to go by; in a longer one so many a second, with
#: one bit. Fine frames, five a second of which are asked for as they are, only in a short one: in five
#: minutes they were a fifth of all tokens, and no copy was found by them alone.
NEARLY: Final = {
    Kind.COARSE_FRAME: Nearly(16, bits=2),
    Kind.FINE_FRAME: Nearly(40, bits=1, at_length=False),
    Kind.COARSE_MOTION: Nearly(16, bits=2),
    Kind.SOUND: Nearly(16, bits=2),
}
NEARLY_PER_S: Final = 0.06
SHORT_S: Final = 60.0
#: Parts of the picture get this share of what the whole gets: few copies are crops or insets.
VIEW_SHARES: Final = {View.WHOLE: 1.0, View.CENTRE: 0.25, View.INSET: 0.15}


def make_landmarks(fingerprint: Fingerprint) -> Landmarks:
    """The landmarks by which the index knows a content: 1.44 a second at most and 122 more, all kinds
    together.
    """
    f = fingerprint
    sounds = _telling_sounds(f, int(SOUNDS_PER_S * f.duration_s) + HANDFUL)
    cuts = thinned(cut_tokens(f.cuts_s, spread=False), _kept_cuts(f))
    return gather([cuts, *_kept_frames(f), sound_tokens(f, sounds)])


def _kept_cuts(f: Fingerprint) -> int:
    return int(CUTS_PER_S * f.duration_s) + HANDFUL


def _kept_frames(f: Fingerprint) -> Iterator[Tokens]:
    """The foremost frames, and of each part of the picture the foremost frames that show it."""
    for view, share in VIEW_SHARES.items():
        seen = seen_as(f, view)
        for kind, per_s in FRAMES_PER_S.items():
            most = int(share * (per_s * f.duration_s + HANDFUL))
            yield frame_tokens(seen, kind, _telling_frames(seen, most))


def query_landmarks(fingerprint: Fingerprint) -> Landmarks:
    """The landmarks to ask the index for: every frame, the foremost also nearly so; near-by intervals of the
    cuts that a content of this length would keep; sounds at and beside their peaks.
    """
    f = fingerprint
    nearly = _telling_sounds(f, _nearly(f, Kind.SOUND))
    return gather(
        [
            thinned(cut_tokens(f.cuts_s, spread=True), CUT_FORMS * _kept_cuts(f)),
            *_asked_frames(f),
            sound_tokens(f, _asked_sounds(f)),
            sound_tokens(f, nearly, flips=turned_over(Kind.SOUND, _bits(f, Kind.SOUND))),
        ]
    )


def _asked_frames(f: Fingerprint) -> Iterator[Tokens]:
    """All frames and parts of them as they are, the foremost also nearly so."""
    for view, share in VIEW_SHARES.items():
        seen = seen_as(f, view)
        for kind in FASTEST:
            yield _without_repeats(frame_tokens(seen, kind, _shown(seen, kind)))
            if kind in NEARLY:
                telling = _telling_frames(seen, int(share * _nearly(f, kind)))
                yield frame_tokens(seen, kind, telling, flips=turned_over(kind, _bits(f, kind)))


def _shown(f: Fingerprint, kind: Kind) -> NDArray[np.intp]:
    """Indices of the frames to ask for as they are."""
    count = most = len(f.frame_times_s)
    if kind is Kind.FINE_MOTION and f.duration_s > SHORT_S:
        foremost = _telling_frames(f, int(FINE_MOTION_PER_S * f.duration_s))
        return np.intersect1d(foremost[:, None] + (-1, 0, 1), np.arange(count))
    if kind in (Kind.COARSE_FRAME, Kind.COARSE_MOTION):
        most = min(count, int(COARSE_PER_S * f.duration_s) + COARSE_HANDFUL)
    return np.linspace(0, count - 1, most).astype(np.intp)


def _without_repeats(tokens: Tokens) -> Tokens:
    """One in `EVERY` of equal tokens in a row: a picture that stands still tells nothing new."""
    places = np.arange(len(tokens.tokens))
    new = np.diff(tokens.tokens, prepend=-1) != 0
    since = places - np.maximum.accumulate(np.where(new, places, 0))
    return tokens.only(since % EVERY == 0)


def _nearly(f: Fingerprint, kind: Kind) -> int:
    """How many of the foremost to ask for with bits turned over."""
    nearly = NEARLY[kind]
    if f.duration_s > SHORT_S and not nearly.at_length:
        return 0
    return max(nearly.least, int(NEARLY_PER_S * f.duration_s))


def _bits(f: Fingerprint, kind: Kind) -> int:
    """How many bits of these are turned over, at most."""
    return NEARLY[kind].bits if f.duration_s <= SHORT_S else 1


def _telling_frames(f: Fingerprint, most: int) -> NDArray[np.intp]:
    """Indices of the foremost peaks of novelty."""
    return _foremost(f.frame_times_s, f.frame_novelty, FRAME_REACH_S, most)


def _telling_sounds(f: Fingerprint, most: int) -> NDArray[np.intp]:
    """Indices of the foremost peaks of what sounds say."""
    says = np.where(f.sound_weight >= LEAST_WEIGHT, f.sound_weight, 0)
    sounds = _foremost(f.sound_times_s, says, SOUND_REACH_S, most)
    return sounds[says[sounds] > 0]


def _asked_sounds(f: Fingerprint) -> NDArray[np.intp]:
    """Indices of audible sounds at a peak or beside one, for a copy's moments lie in between."""
    peaks = find_peaks(f.sound_times_s, f.sound_weight, SOUND_REACH_S)
    return np.intersect1d(peaks[:, None] + (-1, 0, 1), np.flatnonzero(f.sound_weight >= LEAST_QUERY_WEIGHT))


def _foremost(
    times_s: FloatArray, values: NDArray[np.float32], reach_s: float, most: int
) -> NDArray[np.intp]:
    """Indices of `most` peaks, those first that few around them exceed, so that a quiet stretch of a lively
    film has its share.
    """
    peaks = find_peaks(times_s, values, reach_s)
    exceeded_by = count_greater(times_s[peaks], values[peaks], AROUND_S)
    return np.sort(peaks[np.lexsort((-values[peaks], exceeded_by))[:most]])
