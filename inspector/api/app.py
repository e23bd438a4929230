"""Puts the web application together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from flask import Flask, Response, g, request

from inspector.api.board import StatusBoard
from inspector.api.feeder import Feeder
from inspector.api.feeds import Pages
from inspector.api.finder import Finder
from inspector.api.glance import Glance
from inspector.api.guard import protect
from inspector.api.health import HealthViews
from inspector.api.keys import accept_keys
from inspector.api.login import LoginViews, keep_sessions
from inspector.api.pages import Behind, make_pages
from inspector.api.ports import ChangesFactory, MediaSource, PageSource, QueueSource, StatusSource
from inspector.api.problems import handle_errors
from inspector.api.quick import Quick
from inspector.api.recently import DEPTHS_AGE_S, Patience, Recently
from inspector.api.reporter import Reporter
from inspector.api.scrape import Beside
from inspector.api.status import StatusViews
from inspector.api.stream import Streams
from inspector.api.tokens import Tokens
from inspector.api.v1 import Adapters, add_api, make_openapi
from inspector.errors import DatabaseUnavailable
from inspector.metrics import HTTP_SECONDS
from inspector.settings import Settings
from inspector.store import Database, vitals

_EXTENSION: Final = "inspector"


@dataclass(frozen=True, slots=True)
class Background:
    """What lives beside the requests of one app."""

    feeder: Feeder
    streams: Streams
    quick: Quick
    reporter: Reporter

    def start(self) -> None:
        """Begin to feed the board; after the fork, since threads do not survive one."""
        self.feeder.start()
        self.reporter.start()

    def stop(self) -> None:
        """End streams, feeder and reports."""
        self.streams.stop()
        self.feeder.stop()
        self.reporter.stop()
        self.streams.join()


def create_app(
    settings: Settings,
    source: StatusSource,
    changes_factory: ChangesFactory,
    bucket: MediaSource,
    *,
    adapters: Adapters | None = None,
    page_source: PageSource | None = None,
    queue: QueueSource | None = None,
    crash_looping: Callable[[], Sequence[str]] = tuple,
    restarts: Callable[[], Mapping[str, int]] = dict,
) -> Flask:
    """The web application over one database and one bucket. `background(app)` is still to be started.

    adapters: what `/api/v1` and the review work with; without them only the plain routes are there.
    page_source: what the pages show; without it there are none.  queue: whose depths they show.
    crash_looping: names the processes beside us that die again and again.  restarts: how often each was
    started again.
    Without its feeder it answers rightly too, only slower: every read asks the database.
    """
    board = StatusBoard(source)
    feeder = Feeder(board, changes_factory)
    finder = Finder(board, bucket, settings.bucket, settings.accepts_key)
    streams = Streams(
        finder,
        feeder,
        Pages(source, settings.bucket, feeder.heard),
        limit=settings.streams,
        limit_per_client=settings.streams_per_client,
    )
    glance = Glance(source, settings.bucket, silent_s=settings.worker_silent_s)

    beside = Beside(
        depths=Patience(Recently(adapters.queue.depths, DEPTHS_AGE_S).get).get if adapters else lambda: None,
        index=partial(_index_size, adapters.db) if adapters else lambda: None,
        restarts=restarts,
        sweep_interval_s=settings.sweep_interval_s,
    )

    app = make_openapi(__name__)
    app.extensions[_EXTENSION] = Background(
        feeder, streams, Quick(finder), Reporter(glance, settings.report_s)
    )
    accept_keys(app.url_map)
    handle_errors(app)
    _measure(app)
    tokens = Tokens.of(settings)
    protect(app, settings, tokens, media_origin=bucket.public_origin)
    keep_sessions(app, settings)
    app.before_request(feeder.ensure)
    app.register_blueprint(StatusViews(board, finder, streams, settings.bucket).blueprint())
    app.register_blueprint(HealthViews(glance, feeder, crash_looping, beside).blueprint())
    app.register_blueprint(LoginViews(tokens).blueprint())
    if page_source is not None:
        uploads = adapters is not None and settings.uploads
        reviews = adapters.reviews if adapters is not None else None
        behind = Behind(settings, board, finder, glance, bucket, page_source, queue, reviews, uploads)
        app.register_blueprint(make_pages(behind))
    if adapters is not None:
        add_api(app, settings, source, glance, adapters)
    return app


def background(app: Flask) -> Background:
    """What `create_app` left to be started and stopped."""
    started: Background = app.extensions[_EXTENSION]
    return started


def _index_size(db: Database) -> vitals.IndexSize | None:
    try:
        with db.begin() as tx:
            return vitals.read_index(tx)
    except DatabaseUnavailable:
        return None


def _measure(app: Flask) -> None:
    """Time every response by the pattern of its address, never by the address: patterns are few."""

    def start() -> None:
        g.started_at = time.perf_counter()

    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        HTTP_SECONDS.labels(route, response.status_code).observe(time.perf_counter() - g.started_at)
        return response

    app.before_request(start)
    app.after_request(finish)
