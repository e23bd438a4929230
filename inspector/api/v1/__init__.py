"""The API in full, under `/api/v1`: one module per subject, and the OpenAPI document made of them.

The way of a request: guard → types (`models`) → view → store. What is not as documented never reaches a view.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from inspector.api.glance import Glance
from inspector.api.ports import ActionSource, StatusSource
from inspector.api.v1 import models
from inspector.api.v1.actions import ActionViews
from inspector.api.v1.answers import PREFIX, refuse
from inspector.api.v1.decisions import DecisionViews
from inspector.api.v1.deliveries import DeliveryViews
from inspector.api.v1.document import DocumentViews
from inspector.api.v1.groups import GroupViews
from inspector.api.v1.idempotency import IdempotentPosts
from inspector.api.v1.recordings import ADMIN_PREFIX, RecordingViews
from inspector.api.v1.system import SystemViews
from inspector.api.v1.uploads import UploadViews
from inspector.api.v1.videos import VideoViews
from inspector.aws import Bucket, Queue
from inspector.aws.uploads import Uploads
from inspector.settings import Settings
from inspector.store import Database
from inspector.store.reviews import Reviews

__all__ = ["Adapters", "add_api", "make_openapi"]

_INFO: Final = (
    "Finds videos, and parts of videos, that are already in your S3 bucket. Every error is a problem+json "
    "(RFC 9457). Lists have cursors: follow `next`. Posts heed `Idempotency-Key`; single resources have an "
    "`ETag`."
)


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the API needs beyond the statuses."""

    db: Database
    bucket: Bucket
    queue: Queue
    uploads: Uploads
    reviews: Reviews
    actions: ActionSource


def make_openapi(import_name: str) -> OpenAPI:
    """A Flask application that collects what its API says and takes."""
    info = Info(title="Video inspector", version=metadata.version("video-inspector"), description=_INFO)
    return OpenAPI(
        import_name,
        info=info,
        doc_ui=False,
        validation_error_status=400,
        validation_error_model=models.ProblemDocument,
        validation_error_callback=refuse,
    )


def add_api(
    app: OpenAPI, settings: Settings, statuses: StatusSource, glance: Glance, adapters: Adapters
) -> None:
    """Add the views under `/api/v1`, and the document that describes them."""
    api = APIBlueprint("v1", __name__, url_prefix=PREFIX, operation_id_callback=_operation_id)
    db, bucket = adapters.db, adapters.bucket
    VideoViews(db, statuses, bucket, min_score=settings.min_score).add_to(api)
    UploadViews(db, bucket, adapters.uploads, settings).add_to(api)
    SystemViews(db, statuses, glance, adapters.queue.depths, settings).add_to(api)
    GroupViews(adapters.reviews, statuses, bucket.name).add_to(api)
    DecisionViews(adapters.reviews).add_to(api)
    ActionViews(adapters.actions).add_to(api)
    DeliveryViews(db).add_to(api)
    admin = APIBlueprint("admin", __name__, url_prefix=ADMIN_PREFIX, operation_id_callback=_operation_id)
    RecordingViews(db, bucket.name, min_score=settings.min_score, common_from=settings.common_from).add_to(
        api, admin
    )
    for blueprint in (api, admin):
        IdempotentPosts(db).watch(blueprint)
        app.register_api(blueprint)
    app.register_blueprint(DocumentViews(app).blueprint())


def _operation_id(*, name: str, **_: Any) -> str:
    return name
