"""The database, the bucket and the queue that the settings name."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.aws.uploads import Uploads
from inspector.errors import ConfigError
from inspector.settings import Settings
from inspector.store import Database


def make_database(settings: Settings, *, pool_size: int = 5) -> Database:
    """Raises ConfigError if no database is named and none runs embedded."""
    if settings.database_url is None:
        raise ConfigError("no database: start `inspector up`, or set DATABASE_URL")
    try:
        return Database(settings.database_url.get_secret_value(), pool_size=pool_size)
    except (ValueError, SQLAlchemyError):  # they quote the address, or what they take for its port
        wanted = "postgresql://user:password@host:port/name, with special characters percent-encoded"
        raise ConfigError(f"DATABASE_URL is no address of a database: it must look like {wanted}") from None


def make_bucket(settings: Settings) -> Bucket:
    return Bucket(make_s3(settings), settings.bucket, make_signer(settings))


def make_uploads(settings: Settings) -> Uploads:
    return Uploads(make_s3(settings), settings.bucket, make_signer(settings))


def make_queue(settings: Settings) -> Queue:
    return Queue(make_sqs(settings), settings.queue, settings.dead_letter_queue)
