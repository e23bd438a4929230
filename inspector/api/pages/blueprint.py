"""Puts the pages under their addresses, and says what their templates may use."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from inspector.api.guard import caller
from inspector.api.keys import compare_address, key_address, video_address
from inspector.api.pages import wording
from inspector.api.pages.behind import Behind
from inspector.api.pages.compare import CompareView
from inspector.api.pages.library import LibraryView
from inspector.api.pages.pictures import PictureViews, picture_address
from inspector.api.pages.review import ReviewView
from inspector.api.pages.system import SystemView
from inspector.api.pages.video import VideoView
from inspector.api.tokens import Role

VIDEO: Final = "/video/"
_FILTERS: Final = (
    wording.bare_name,
    wording.clock,
    wording.folder,
    wording.duration,
    wording.media_facts,
    wording.moment,
    wording.percent,
    wording.size,
)
_HELPERS: Final = (
    key_address,
    video_address,
    compare_address,
    picture_address,
    wording.trouble_of,
)


def make_pages(behind: Behind) -> Blueprint:
    """All pages, over what is behind them."""
    views = Blueprint("pages", __name__)
    library, video, pictures = LibraryView(behind), VideoView(behind), PictureViews(behind)
    system = SystemView(behind)
    for rule, endpoint, view in (
        ("/", "library", library.show),
        ("/video", "video_by_query", video.show_by_query),
        (f"{VIDEO}<s3key:key>", "video", video.show),
        ("/compare", "compare", CompareView(behind).show),
        ("/system", "system", system.show),
        ("/play", "play", pictures.play),
        ("/pictures/<sha256>/<int:number>.jpg", "picture", pictures.show),
    ):
        views.add_url_rule(rule, endpoint, view)
    views.add_url_rule("/system/redrive", "redrive", system.redrive, methods=["POST"])
    if behind.reviews is not None:
        review = ReviewView(behind, behind.reviews)
        views.add_url_rule("/review", "review", review.show)
        views.add_url_rule("/review", "decide", review.decide, methods=["POST"])
        views.add_url_rule("/review/undo", "undo", review.undo, methods=["POST"])
    for each in _FILTERS:
        views.add_app_template_filter(each)
    for helper in (*_HELPERS, may_change):
        views.add_app_template_global(helper)
    said = {
        "bucket": behind.settings.bucket,
        "key_prefix": behind.settings.key_prefix,
        "has_uploads": behind.uploads,
        "has_review": behind.reviews is not None,
        "said_states": wording.STATES,
        "said_verdicts": wording.VERDICTS,
    }
    views.app_context_processor(lambda: said)
    return views


def may_change() -> bool:
    """Whether who asks may do more than look."""
    return caller().may(Role.ADMIN)
