"""`/`: the library, the newest videos first, filtered and searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from flask import Response, request

from inspector.api.pages.behind import Behind, page
from inspector.api.problems import Problem
from inspector.api.status import MAX_ID, MAX_PAGE_LIMIT, PAGE_LIMIT, whole_number
from inspector.model import State, Verdict, VideoStatus
from inspector.store.catalog import Filter

UNMATCHED: Final = "none"
MOST_SEARCHED: Final = 200  # characters
_SHOWN: Final = tuple(state for state in State if state is not State.PENDING)
_VERDICTS: Final = (Verdict.DUPLICATE, Verdict.CONTAINED, Verdict.PARTIAL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for; empty: all."""

    limit: int
    before: int | None
    state: str
    verdict: str
    q: str

    def address(self, **changed: object) -> str:
        """The address of the library with this changed; a change of filter begins at the newest video."""
        known = {
            "q": self.q,
            "state": self.state,
            "verdict": self.verdict,
            "limit": self.limit,
            "before": None,
        }
        wanted = {name: value for name, value in {**known, **changed}.items() if value}
        if wanted["limit"] == PAGE_LIMIT:
            del wanted["limit"]
        return f"/?{urlencode(wanted)}" if wanted else "/"

    @property
    def here(self) -> str:
        """The address of this very page."""
        return self.address(before=self.before)

    @property
    def filtered(self) -> bool:
        return bool(self.q or self.state or self.verdict)


class LibraryView:
    """The page of all videos."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    def show(self) -> Response:
        """`GET /`: `?q=`, `?state=`, `?verdict=`, `?limit=`, `?before=`."""
        wanted = read_wanted()
        videos = self._behind.source.find(self._filter(wanted), before=wanted.before, limit=wanted.limit + 1)
        shown, more = videos[: wanted.limit], len(videos) > wanted.limit
        jobs = self._behind.glance.overview().jobs
        return page(
            "library.html",
            wanted=wanted,
            videos=shown,
            older=wanted.address(before=shown[-1].video_id) if more else None,
            pictures=self._behind.source.thumbnails(_contents(shown)),
            counts={state: jobs[state] for state in _SHOWN if jobs.get(state)},
            total=sum(count for state, count in jobs.items() if state is not State.REMOVED),
            changing=any(jobs.get(state) for state in (State.QUEUED, State.PROCESSING))
            or any(not video.state.final for video in shown),
            verdicts=_VERDICTS,
        )

    def _filter(self, wanted: Wanted) -> Filter:
        verdict = wanted.verdict
        return Filter(
            states=(State(wanted.state),) if wanted.state else (),
            verdicts=(Verdict(verdict),) if verdict and verdict != UNMATCHED else (),
            unmatched=verdict == UNMATCHED,
            contains=wanted.q,
            min_score=self._behind.settings.min_score,
        )


def read_wanted() -> Wanted:
    """The parameters of this request. Raises Problem (400)."""
    limit = whole_number("limit", 1, MAX_PAGE_LIMIT)
    return Wanted(
        PAGE_LIMIT if limit is None else limit,
        whole_number("before", 1, MAX_ID),
        _one_of("state", [state.value for state in _SHOWN]),
        _one_of("verdict", [*(verdict.value for verdict in _VERDICTS), UNMATCHED]),
        request.args.get("q", "").replace("\0", "").strip()[:MOST_SEARCHED],
    )


def _one_of(name: str, known: list[str]) -> str:
    text = request.args.get(name, "")
    if text and text not in known:
        raise Problem(400, "bad-parameter", f"{name} must be one of {', '.join(known)}.")
    return text


def _contents(videos: list[VideoStatus]) -> set[str]:
    return {video.sha256 for video in videos if video.sha256}
