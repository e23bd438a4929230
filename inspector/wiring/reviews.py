"""Reviews, by the settings."""

from __future__ import annotations

from inspector.settings import Settings
from inspector.store import Database
from inspector.store.reviews import Reviews


def make_reviews(settings: Settings, db: Database) -> Reviews:
    return Reviews(
        db,
        min_score=settings.min_score,
        common_from=settings.common_from,
        keeper_rules=settings.keeper_rules,
    )
