"""The web application, built from settings; apart from what needs none of its libraries."""

from __future__ import annotations

from functools import partial
from typing import Final

from flask import Flask

from inspector.api import create_app
from inspector.api.v1 import Adapters
from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.ops.actions import Actions
from inspector.settings import Settings
from inspector.stack import crash_looping, restarts
from inspector.store.listen import ChangeListener
from inspector.store.shown import PageReader
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_bucket, make_database, make_uploads
from inspector.wiring.reviews import make_reviews

_WEB_READ_TIMEOUT_S: Final = 2.0  # a silent S3 must not hold the web's threads


def make_app(settings: Settings) -> Flask:
    db = make_database(settings, pool_size=settings.web_threads)
    statuses = StatusReader(db, min_score=settings.min_score, common_from=settings.common_from)
    s3 = make_s3(settings, read_timeout_s=_WEB_READ_TIMEOUT_S)
    bucket = Bucket(s3, settings.bucket, make_signer(settings))
    sqs = make_sqs(settings, read_timeout_s=_WEB_READ_TIMEOUT_S)
    queue = Queue(sqs, settings.queue, settings.dead_letter_queue)
    return create_app(
        settings,
        statuses,
        lambda: ChangeListener(db),
        bucket,
        adapters=Adapters(
            db,
            bucket,
            queue,
            make_uploads(settings),
            make_reviews(settings, db),
            Actions(db, make_bucket(settings)),  # which waits for a copy as long as it takes
        ),
        page_source=PageReader(db, statuses, settings.bucket),
        queue=queue,
        crash_looping=partial(crash_looping, settings),
        restarts=partial(restarts, settings),
    )
