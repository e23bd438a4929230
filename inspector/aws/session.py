"""Makes the boto3 clients: which endpoint, which credentials, how long to wait.

botocore's own retries are off, because `inspector.aws.remote` retries with tenacity.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader, create_loader
from botocore.utils import parse_timestamp
from localstack_client.config import get_service_endpoint

from inspector import __version__
from inspector.errors import ConfigError
from inspector.settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 30.0  # silence within one answer, not the whole answer

# How AWS's own logs name us. botocore would put a longer one together anew for every call, which takes a
# fifth of a call's computing.
_USER_AGENT: Final = f"video-inspector/{__version__} botocore/{botocore.__version__}"

_EMULATOR_CREDENTIALS: Final = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def endpoint_url(settings: Settings) -> str | None:
    """The S3 and SQS endpoint that is configured, or None for AWS itself.

    LOCALSTACK_HOST means what it means to awslocal. Raises ConfigError if it is no `host[:port]`.
    """
    if settings.aws_endpoint_url:
        return settings.aws_endpoint_url
    if not settings.localstack_host:
        return None
    try:
        url: str | None = get_service_endpoint("s3", localstack_host=settings.localstack_host)
    except RuntimeError as exc:
        raise ConfigError(
            f"LOCALSTACK_HOST must be host or host:port, not {settings.localstack_host!r}"
        ) from exc
    return url


def make_s3(settings: Settings, *, read_timeout_s: float = READ_TIMEOUT_S) -> S3Client:
    """An S3 client for the configured endpoint. Raises ConfigError if none can be made."""
    client = _make_s3_at(settings, endpoint_url(settings), read_timeout_s)
    client.meta.events.register_last("before-parameter-build.s3.ListObjectsV2", _unencoded)
    return client


def _unencoded(params: dict[str, Any], **_: Any) -> None:
    """Ask for keys as they are, where `EncodingType` is empty; botocore knows no other way to say so."""
    if params.get("EncodingType") == "":
        del params["EncodingType"]


def make_signer(settings: Settings) -> S3Client:
    """An S3 client that only signs URLs, naming the host by which browsers reach S3."""
    return _make_s3_at(settings, settings.s3_public_url or endpoint_url(settings), READ_TIMEOUT_S)


def make_sqs(settings: Settings, *, read_timeout_s: float | None = None) -> SQSClient:
    """An SQS client; its read timeout outlasts the long poll. Raises ConfigError if none can be made."""
    timeout_s = read_timeout_s or settings.poll_wait_s + READ_TIMEOUT_S / 2
    client: SQSClient = _make(settings, "sqs", endpoint_url(settings), read_timeout=timeout_s)
    return client


def make_sns(settings: Settings) -> Any:
    """An SNS client. Raises ConfigError if none can be made."""
    return _make(settings, "sns", endpoint_url(settings), read_timeout=READ_TIMEOUT_S)


def make_eventbridge(settings: Settings) -> Any:
    """An EventBridge client. Raises ConfigError if none can be made."""
    return _make(settings, "events", endpoint_url(settings), read_timeout=READ_TIMEOUT_S)


def _make_s3_at(settings: Settings, url: str | None, read_timeout_s: float) -> S3Client:
    # Emulators have no DNS name for each bucket.
    style = {"addressing_style": "path" if url else "auto"}
    client: S3Client = _make(
        settings, "s3", url, signature_version="s3v4", s3=style, read_timeout=read_timeout_s
    )
    return client


def _make(settings: Settings, service: str, url: str | None, **config: Any) -> Any:
    arguments: dict[str, Any] = {"region_name": settings.aws_region, "endpoint_url": url}
    try:
        session, credentials = _session(emulator=url is not None)
        arguments["config"] = Config(
            connect_timeout=min(CONNECT_TIMEOUT_S, config["read_timeout"]),
            retries={"total_max_attempts": 1},
            tcp_keepalive=True,
            user_agent=_USER_AGENT,
            max_pool_connections=settings.web_threads,
            **config,
        )
        return session.client(service, **arguments, **credentials)  # type: ignore[call-overload]
    except (BotoCoreError, ValueError) as exc:
        raise ConfigError(f"cannot make a client for {service} at {url or 'AWS'}: {exc}") from exc


def _session(*, emulator: bool) -> tuple[boto3.Session, dict[str, str]]:
    """A session, and the credentials to pass on: none where the environment has some of its own."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader())
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_moment)
    if not emulator:
        return boto3.Session(botocore_session=core), {}
    # An emulator needs no role of the machine; asking the metadata service would only cost seconds.
    core.get_component("credential_provider").remove("iam-role")
    missing = core.get_credentials() is None
    return boto3.Session(botocore_session=core), dict(_EMULATOR_CREDENTIALS) if missing else {}


def parse_moment(value: Any) -> datetime:
    """A timestamp of an answer. botocore's own way tries all formats, which is a tenth of a call's computing.

    Raises ValueError if it is none.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            read = datetime.fromisoformat if value[10:11] == "T" else parsedate_to_datetime
            if (moment := read(value)).tzinfo is not None:
                return moment
    return parse_timestamp(value)


@functools.cache
def _loader() -> Loader:
    """Reads the descriptions of the services, once a process: most of the time of a new client."""
    return create_loader()
