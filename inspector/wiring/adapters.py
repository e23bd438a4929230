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


def check_s3(settings: Settings) -> None:
    """Raises ConfigError if no S3 is named: nobody is to ask AWS itself by mistake."""
    if not settings.has_s3:
        raise ConfigError(
            f"no S3: no stack runs in {settings.data_dir}. Start one by `inspector up` (it would serve "
            f"http://127.0.0.1:{settings.embedded_s3_port}, bucket {settings.bucket}), or set "
            "AWS_ENDPOINT_URL, or INSPECTOR_USE_AWS=true for AWS itself"
        )


def make_bucket(settings: Settings) -> Bucket:
    """Raises ConfigError if no S3 is named."""
    check_s3(settings)
    return Bucket(make_s3(settings), settings.bucket, make_signer(settings))


def make_uploads(settings: Settings) -> Uploads:
    """Raises ConfigError if no S3 is named."""
    check_s3(settings)
    return Uploads(make_s3(settings), settings.bucket, make_signer(settings))


def make_queue(settings: Settings) -> Queue:
    """Raises ConfigError if no SQS is named."""
    check_s3(settings)
    return Queue(make_sqs(settings), settings.queue, settings.dead_letter_queue)
