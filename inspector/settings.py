"""One frozen object of settings, built once from the environment, `.env` and a file, and checked as a whole.

Nothing else in the inspector reads the environment. Every setting is `INSPECTOR_<NAME>` there, and `<name>`
in the configuration file, which yields to the environment; the standard names `DATABASE_URL`,
`AWS_ENDPOINT_URL`, `AWS_DEFAULT_REGION`, `AWS_REGION` and `LOCALSTACK_HOST` are read too.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections import ChainMap
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from inspector.errors import ConfigError
from inspector.sources import FileSource, Places

RESERVED_PREFIX = ".inspector/"  # probe objects and thumbnails: never videos
LEAST_SECRET_CHARS = 16  # out of reach of guessing, where the rate of requests is limited
PROBE_PREFIX = RESERVED_PREFIX + "probe/"
WORKER_SILENT_S = 120.0  # four heartbeats at the usual pace
#: By what a copy may be judged (see `inspector.review.keepers`).
KEEPER_RULES = ("resolution", "bitrate", "duration", "codec", "uploaded", "size", "path")


class LogFormat(StrEnum):
    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class SandboxChoice(StrEnum):
    """What is put around programs that read what strangers uploaded."""

    AUTO = "auto"
    BWRAP = "bwrap"
    NONE = "none"


class Preset(StrEnum):
    """How much of a video is decoded."""

    ACCURATE = "accurate"
    FAST = "fast"
    AUTO = "auto"


def _named(name: str, *standard: str) -> AliasChoices:
    """The setting's own name first, then the names other programs use."""
    return AliasChoices(f"INSPECTOR_{name}", *standard)


TokenHashes = Annotated[tuple[Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")], ...], NoDecode]


class WebhookEndpoint(BaseModel):
    """Who is told by webhook. secret: of the Standard Webhooks scheme.  events: of what; of all, if empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    secret: SecretStr
    name: str = ""
    events: tuple[Literal["video.done", "video.failed", "match.found"], ...] = ()

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("url must be http:// or https:// with a host and without a password")
        if not value.isascii() or not value.isprintable() or " " in value or (parts.port or 1) > 65535:
            raise ValueError("url must be percent-encoded")
        return value

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, value: SecretStr) -> SecretStr:
        prefix, _, encoded = value.get_secret_value().partition("_")
        try:
            size = len(base64.b64decode(encoded, validate=True))
        except ValueError:
            size = 0
        if prefix != "whsec" or not 24 <= size <= 64:
            raise ValueError("secret must be whsec_ and 24 to 64 bytes in base64")
        return value

    @property
    def label(self) -> str:
        """How logs and the list of deliveries call it."""
        return self.name or urlsplit(self.url).netloc


class Settings(BaseSettings):
    """All settings; the descriptions below are also the table in the README."""

    model_config = SettingsConfigDict(
        env_prefix="INSPECTOR_",
        env_file=".env",
        dotenv_filtering="only_existing",
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )

    config: Path | None = Field(
        None,
        description="Configuration file, as by `--config`. Empty: `inspector.toml`, if it is there.",
    )

    # where things are
    database_url: SecretStr | None = Field(
        None,
        validation_alias=_named("DATABASE_URL", "DATABASE_URL"),
        description="PostgreSQL 15 or newer. Empty: `inspector up` and `scan` start an embedded one.",
    )
    aws_endpoint_url: str | None = Field(
        None,
        validation_alias=_named("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL"),
        description="S3 and SQS endpoint. Empty: `inspector up` starts its own.",
    )
    localstack_host: str | None = Field(
        None,
        validation_alias=_named("LOCALSTACK_HOST", "LOCALSTACK_HOST"),
        description="Host (and port) of a LocalStack; read when no endpoint URL is set.",
    )
    aws_region: str = Field(
        "us-east-1",
        validation_alias=_named("AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region.",
    )
    use_aws: bool = Field(
        False,
        description="Use AWS itself; else it takes an endpoint, or the S3 of `inspector up`.",
    )
    s3_public_url: str | None = Field(None, description="S3 address as browsers reach it, for signed URLs.")
    bucket: str = Field("videos", min_length=3, max_length=63, description="The bucket that is inspected.")
    queue: str = Field("video-events", description="Queue of the bucket's notifications.")
    dead_letter_queue: str = Field("video-events-dlq", description="Queue of what could not be processed.")
    key_prefix: str = Field("", description="Only keys that start so are videos.")
    key_suffixes: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Only keys that end so are videos: comma-separated, any letter case. Empty: all."
    )
    data_dir: Path = Field(Path("data"), description="Folder of the embedded stack.")
    scratch_dir: Path | None = Field(
        None, description="Folder of downloads in work. Empty: `scratch` in the data folder."
    )
    embedded_s3_port: int = Field(4566, ge=1, le=65535, description="Port of the embedded S3 and SQS.")

    # web
    host: str = Field("127.0.0.1", description="Address of the web server; any but loopback needs a token.")
    port: int = Field(5001, ge=0, le=65535, description="Port of the web server.")
    token: SecretStr | None = Field(None, description="A token that may do everything, as plain text.")
    admin_tokens: TokenHashes = Field(
        (),
        description="SHA-256 hashes of further such tokens, comma-separated: see `inspector token`.",
    )
    read_tokens: TokenHashes = Field((), description="SHA-256 hashes of tokens that may only read.")
    uploads: bool = Field(True, description="Admins may upload by addresses that the web signs.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins of pages that may use such addresses, comma-separated. Empty: any.",
    )
    session_secret: SecretStr | None = Field(
        None, description="Signs the cookies of browsers. Empty: derived from the token, or random."
    )
    session_s: int = Field(12 * 3600, ge=60, description="How long a browser stays logged in.")
    rate_limit: float = Field(
        100,
        ge=0,
        description="Requests per second of each token, and of each address without one; 0: any.",
    )
    streams_per_client: int = Field(8, ge=1, description="Open streams of each token.")
    streams: int = Field(2000, ge=1, le=100_000, description="Open streams of the web process.")
    web_threads: int = Field(64, ge=4, le=2000, description="Threads of the web process.")

    # workers and jobs
    workers: int = Field(2, ge=1, le=64, description="Worker processes of `inspector up` and `work`.")
    worker_metrics_port: int = Field(
        9464, ge=0, le=65000, description="Metrics port of the first worker, the next ones count up; 0: none."
    )
    worker_metrics_host: str = Field("127.0.0.1", description="Address of the workers' metrics; no token.")
    preset: Preset = Field(
        Preset.AUTO,
        description="`accurate` decodes every frame, `fast` leaves out those that others hardly need.",
    )
    fast_above_s: float = Field(7200, ge=0, description="Preset `auto` is `fast` for longer videos.")
    segment_s: float = Field(
        300,
        ge=1,
        description="Longer videos are decoded in segments of so many seconds, each kept when done.",
    )
    decoder_threads: int = Field(1, ge=1, le=64, description="Threads one ffmpeg may use.")
    lease_s: float = Field(300, gt=0, description="How long a claimed job stays a silent worker's.")
    heartbeat_s: float = Field(30, gt=0, description="How often a worker renews its lease.")
    max_attempts: int = Field(3, ge=1, le=100, description="Attempts before a job is dead-lettered.")
    retry_pause_s: float = Field(10, ge=0, description="First pause after a failed attempt; it doubles.")
    idle_poll_s: float = Field(5, gt=0, description="How often an idle worker asks for jobs unprompted.")
    shutdown_grace_s: float = Field(20, gt=0, description="How long stopping processes are waited for.")

    ecs_agent_uri: str | None = Field(
        None,
        validation_alias=_named("ECS_AGENT_URI", "ECS_AGENT_URI"),
        description="Set by Amazon ECS: a worker asks there not to be stopped in the middle of a job.",
    )
    report_s: float = Field(
        0,
        ge=0,
        description="How often the web logs how many jobs and workers there are, for scalers that read logs; "
        "0: never.",
    )

    # queue
    poll_wait_s: int = Field(20, ge=0, le=20, description="Long poll of the queue.")
    visibility_timeout_s: int = Field(
        120, ge=30, le=43200, description="How long a received message is ours."
    )
    sweep_interval_s: float = Field(300, gt=0, description="How often bucket and database are compared.")
    sweep_slice: int = Field(1000, ge=1, le=1000, description="Keys compared per step of a sweep.")
    removal_brake: float = Field(
        0.1, ge=0, le=1, description="A sweep that would remove a larger share of the videos stops and asks."
    )

    # telling the world outside
    webhooks: SecretStr | None = Field(
        None,
        description='Endpoints as JSON: `[{"url": …, "secret": "whsec_…", "name": …, "events": […]}]`; '
        "the last two may be left out.",
    )
    webhook_private: bool = Field(False, description="Webhooks may go to private and loopback addresses.")
    object_tags: bool = Field(False, description="Write status and verdict as tags of the objects.")
    sns_topic_arn: str | None = Field(None, description="Topic of SNS that hears of results.")
    eventbridge_bus: str | None = Field(None, description="Bus of EventBridge that hears of results.")

    # limits on media
    max_size_bytes: int = Field(100 * 10**9, gt=0, description="Larger objects are rejected.")
    max_duration_s: float = Field(24 * 3600, gt=0, description="Longer videos are rejected.")
    min_duration_s: float = Field(0.5, ge=0, description="Shorter videos are rejected.")
    max_pixels: int = Field(8192 * 4352, gt=0, description="Larger frames are rejected.")
    max_streams: int = Field(64, gt=0, description="Files with more streams are rejected.")
    probe_timeout_s: float = Field(60, gt=0, description="Deadline of ffprobe.")
    analysis_timeout_s: float = Field(300, gt=0, description="Least deadline of one decoding pass.")
    analysis_timeout_factor: float = Field(4, gt=0, description="Deadline as a multiple of the duration.")
    stall_timeout_s: float = Field(60, gt=0, description="A decoder silent for so long is stopped.")
    tool_memory_bytes: int = Field(4 * 2**30, gt=0, description="Address space one ffmpeg may use.")
    sandbox: SandboxChoice = Field(
        SandboxChoice.AUTO,
        description="`bwrap` locks ffmpeg in by bubblewrap, `none` does not, `auto` does where it works.",
    )
    scratch_reserve_bytes: int = Field(512 * 2**20, ge=0, description="Free space downloads must leave.")

    thumbnails_bytes: int = Field(
        2 * 2**30,
        ge=0,
        description="Room for thumbnails in the bucket, the oldest go first; 0: none are made.",
    )

    # what is kept
    keep_removed_days: float = Field(
        0, ge=0, description="Results of removed videos are kept for so many days; 0: for ever."
    )
    keep_scans_days: float = Field(
        0, ge=0, description="Fingerprints of scanned local files are kept for so many days; 0: for ever."
    )
    keep_deliveries_days: float = Field(
        7, gt=0, description="What was told to the world outside can be looked up for so many days."
    )

    # matching
    min_score: float = Field(0.5, ge=0, le=1, description="Matches below it are not reported.")
    common_from: int = Field(
        5, ge=2, description="What so many unrelated others share with a video is `common`, no duplicate."
    )

    # review
    keeper_rules: Annotated[tuple[str, ...], NoDecode] = Field(
        ("resolution", "bitrate", "duration", "codec", "uploaded", "path"),
        description="Which duplicate to keep: what is compared, in this order, comma-separated. Better are "
        "more pixels, more bits, longer, a newer codec, an earlier upload, a larger `size`, a shorter path; "
        "`-` before a name turns it round. `size` cannot be first.",
    )

    otel: bool = Field(
        False,
        description="Send OpenTelemetry traces (extra `otel`) to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.",
    )

    # tests
    failpoints: Path | None = Field(None, description="For tests of failures: a folder of faults to strike.")

    # logs
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level logged.")
    log_format: LogFormat = Field(LogFormat.AUTO, description="`console`, `json`, or by the terminal.")

    @field_validator(
        "key_suffixes", "admin_tokens", "read_tokens", "cors_origins", "keeper_rules", mode="before"
    )
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        """Commas part them in the environment; a file has lists."""
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            return value
        return tuple(item.strip().lower() for item in items if item.strip())

    @field_validator("keeper_rules")
    @classmethod
    def _check_keeper_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [keeper_rule_name(rule) for rule in value]
        if not names or set(names) - set(KEEPER_RULES) or len(set(names)) < len(names):
            raise ValueError(f"must name some of {', '.join(KEEPER_RULES)}, each once")
        if names[0] == "size":
            raise ValueError("the size of a file says little by itself: put another rule before it")
        return value

    @field_validator("token", "session_secret")
    @classmethod
    def _refuse_guessable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < LEAST_SECRET_CHARS:
            raise ValueError(f"must have at least {LEAST_SECRET_CHARS} characters")
        return value

    @field_validator("webhooks", mode="before")
    @classmethod
    def _write_tables_as_json(cls, value: Any) -> Any:
        return json.dumps(value, default=str) if isinstance(value, list) and value else value

    @field_validator("webhooks")
    @classmethod
    def _check_webhooks(cls, value: SecretStr | None) -> SecretStr | None:
        _parse_endpoints(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _name_driver(cls, value: SecretStr | None) -> SecretStr | None:
        """Name psycopg2, which is what we install; SQLAlchemy 2.1 would load psycopg 3."""
        if value is None or not value.get_secret_value():
            return None
        scheme, _, rest = value.get_secret_value().partition(":")
        if scheme.partition("+")[0] not in ("postgres", "postgresql"):
            raise ValueError("must be the address of a PostgreSQL: postgresql://user:password@host:port/name")
        return SecretStr("postgresql+psycopg2:" + rest) if scheme in ("postgres", "postgresql") else value

    @field_validator("aws_endpoint_url", "s3_public_url")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/]", value):
            raise ValueError("must be an address with its scheme, for instance http://localhost:4566")
        return value

    @field_validator(
        "config",
        "aws_endpoint_url",
        "localstack_host",
        "s3_public_url",
        "scratch_dir",
        "token",
        "session_secret",
        "failpoints",
        "webhooks",
        "sns_topic_arn",
        "eventbridge_bus",
        "ecs_agent_uri",
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: Any) -> Any:
        return value or None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, that over `.env`, and that over the configuration file."""
        stronger = (init_settings, env_settings, dotenv_settings)
        named = ChainMap(*(source() for source in stronger)).get("config")
        return *stronger, FileSource(settings_cls, named)

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.lease_s < 3 * self.heartbeat_s:
            raise ValueError(
                f"lease_s ({self.lease_s:g}) must be at least three heartbeats ({3 * self.heartbeat_s:g})"
            )
        if not _is_loopback(self.host) and not self.has_tokens:
            raise ValueError(f"host {self.host} is reachable from outside: set INSPECTOR_TOKEN")
        if self.visibility_timeout_s <= self.poll_wait_s + 5:
            raise ValueError("visibility_timeout_s must exceed poll_wait_s by more than 5 s")
        return self

    def as_environment(self) -> dict[str, str]:
        """What a child process needs in its environment to have the same settings."""
        return {f"INSPECTOR_{name.upper()}": _as_text(getattr(self, name)) for name in self.model_fields_set}

    @property
    def has_s3(self) -> bool:
        """Whether S3 and SQS are given, by AWS or at an endpoint; else `inspector up` starts its own."""
        return self.use_aws or bool(self.aws_endpoint_url or self.localstack_host)

    @property
    def has_tokens(self) -> bool:
        """Whether callers need a token; else only this machine is let in."""
        return self.token is not None or bool(self.admin_tokens or self.read_tokens)

    @property
    def worker_silent_s(self) -> float:
        """A worker whose last heartbeat is older counts as dead."""
        return max(WORKER_SILENT_S, 3 * self.heartbeat_s)

    @property
    def scratch(self) -> Path:
        """Folder of downloads in work."""
        return (self.scratch_dir or self.data_dir / "scratch").absolute()

    @property
    def webhook_endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """Who hears of results by webhook."""
        return _parse_endpoints(self.webhooks)

    def accepts_key(self, key: str) -> bool:
        """Whether an object under this key is a video to be inspected."""
        return (
            not key.startswith(RESERVED_PREFIX)
            and key.startswith(self.key_prefix)
            and (not self.key_suffixes or key.lower().endswith(self.key_suffixes))
        )

    def preset_for(self, duration_s: float | None) -> Preset:
        """`accurate` or `fast` for a video of this length; one of unknown length may be long."""
        if self.preset is not Preset.AUTO:
            return self.preset
        return Preset.FAST if duration_s is None or duration_s > self.fast_above_s else Preset.ACCURATE

    def analysis_deadline_s(self, duration_s: float | None) -> float:
        """How long one decoding pass of a video may take."""
        return max(self.analysis_timeout_s, self.analysis_timeout_factor * (duration_s or 0.0))


_endpoints: Final = TypeAdapter(tuple[WebhookEndpoint, ...])


def keeper_rule_name(rule: str) -> str:
    """What a rule compares, whichever way round it is."""
    return rule.removeprefix("-")


def load_settings(**overrides: Any) -> Settings:
    """The settings in force; `overrides` win over what is written. Raises ConfigError in plain words."""
    given = {k: v for k, v in overrides.items() if v is not None}
    try:
        return Settings(**given)
    except ValidationError as exc:
        faults = Places(Settings, given.get("config")).faults(exc)
        raise ConfigError("settings: " + "; ".join(map(str, faults))) from None


def _parse_endpoints(value: SecretStr | None) -> tuple[WebhookEndpoint, ...]:
    """Raises ValueError, which quotes nothing of the value."""
    if value is None:
        return ()
    try:
        found = _endpoints.validate_json(value.get_secret_value())
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    if len({endpoint.label for endpoint in found}) < len(found):
        raise ValueError("two endpoints have the same name: give each one")
    return found


def _as_text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
