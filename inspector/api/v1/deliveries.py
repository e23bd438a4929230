"""`/api/v1/deliveries`: what was told to the world outside, what was not, and telling it again."""

from __future__ import annotations

from typing import Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from inspector.api.problems import Problem
from inspector.api.v1 import models
from inspector.api.v1.answers import PREFIX, Cursors, answer, as_view, linked, next_address
from inspector.store import Database, outbox
from inspector.store.outbox import DeliveryState

TAG: Final = Tag(name="deliveries", description="Webhooks, tags, topic and bus: what they were told.")


class DeliveryViews:
    """The views of deliveries."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add_to(self, api: APIBlueprint) -> None:
        tags = [TAG]
        api.get("/deliveries", tags=tags, responses={200: models.DeliveryPage})(as_view(self.list_deliveries))
        again = "/deliveries/<int:delivery_id>/redelivery"
        api.post(again, tags=tags, responses={202: models.DeliveryDocument})(as_view(self.redeliver))

    def list_deliveries(self, query: models.DeliveriesQuery) -> Response:
        """List deliveries

        The newest first. What has ended is forgotten after a week.
        """
        cursors = Cursors("deliveries")
        before = cursors.read(query.cursor, int)[0] if query.cursor else None
        state = DeliveryState(query.state) if query.state else None
        with self._db.begin() as tx:
            found = outbox.log_page(
                tx, before=before, limit=query.limit + 1, state=state, target=query.target
            )
        shown = found[: query.limit]
        cursor = cursors.write(shown[-1].id) if len(found) > query.limit else None
        following = next_address(f"{PREFIX}/deliveries", query, cursor)
        page = models.DeliveryPage(
            deliveries=[models.DeliveryDocument.model_validate(each) for each in shown], next=following
        )
        return answer(page, headers=linked(following))

    def redeliver(self, path: models.DeliveryPath) -> Response:
        """Deliver again

        At once, from the first attempt, whatever became of it.
        """
        with self._db.begin() as tx:
            outbox.send_again(tx, path.delivery_id)
            found = outbox.find(tx, path.delivery_id)
        if found is None:
            raise Problem(404, "not-found", "There is no delivery of this id.")
        return answer(models.DeliveryDocument.model_validate(found), 202)
