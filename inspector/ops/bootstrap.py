"""Makes bucket, queues and the way between them ready, and proves it: idempotent, and safe to repeat.

Each resource is compared before it is written, read back afterwards, and at the end one probe object goes the
whole way: bucket, notification, queue, ingest, database.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from botocore.exceptions import ClientError
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_random_exponential,
)

from inspector.aws import Bucket, Queue
from inspector.aws.queue import is_missing_queue
from inspector.aws.remote import FOREIGN_ERRORS, http_status, sentence
from inspector.errors import BucketUnavailable, ConfigError, QueueUnavailable, Unavailable
from inspector.ops.resources import Resource, wanted_resources
from inspector.settings import PROBE_PREFIX

WAIT_S: Final = 60.0
PROBE_S: Final = 30.0  # for a probe object to come through
SETTLE_S: Final = 60.0  # how long AWS may take to show a changed attribute of a queue


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    VERIFIED = "verified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one thing, and a sentence that says so to a person."""

    name: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class BootstrapReport:
    """All steps, in the order they were taken."""

    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return all(step.outcome is not Outcome.FAILED for step in self.steps)

    @property
    def changed(self) -> bool:
        """Whether anything was written, the probe apart."""
        return any(step.outcome in (Outcome.CREATED, Outcome.UPDATED) for step in self.steps)


@dataclass(frozen=True, slots=True)
class Probe:
    """How to follow a probe object to the database.

    seen: whether ingest has recorded that key.  ingest_once: receives and ingests messages itself, in case no
    worker runs; it should wait a second at most.
    """

    seen: Callable[[str], bool]
    ingest_once: Callable[[], None]
    timeout_s: float = PROBE_S


def bootstrap(
    bucket: Bucket,
    queue: Queue,
    *,
    visibility_s: int,
    cors_origins: Sequence[str] = (),
    probe: Probe | None,
    verify_only: bool = False,
    wait_s: float = WAIT_S,
    on_step: Callable[[Step], None] = lambda step: None,
    pause: Callable[[float], None] = time.sleep,
) -> BootstrapReport:
    """Make everything ready and verify it. Ten runs change nothing after the first.

    cors_origins: whose pages may use signed addresses; empty for any.  probe: None leaves out the round
    trip.  verify_only: writes nothing, the probe apart.  wait_s: how long the endpoint is waited for, with
    `pause` between the attempts.  on_step: hears each step at once.
    Raises BucketUnavailable, QueueUnavailable or DatabaseUnavailable when a service stops answering (run it
    again then), ConfigError when it refuses us. What can be reached but is not as it should be is a failed
    step of the report.
    """
    steps: list[Step] = []

    def say(step: Step) -> None:
        steps.append(step)
        on_step(step)

    wait_for_endpoint(bucket, queue, timeout_s=wait_s, pause=pause)
    resources = wanted_resources(bucket, queue, visibility_s=visibility_s, cors_origins=cors_origins)
    for step in _settled(bucket, resources, verify_only=verify_only):
        say(step)
    if not verify_only:
        say(Step("read back", *_read_back(resources)))
    if probe is not None and BootstrapReport(tuple(steps)).ok:
        say(Step("round trip", *round_trip(bucket, probe)))
    return BootstrapReport(tuple(steps))


def verify(
    bucket: Bucket, queue: Queue, *, visibility_s: int, cors_origins: Sequence[str] = ()
) -> Iterator[Step]:
    """Compare everything at once, and write nothing: the endpoint, then each resource, in a fixed order.

    Raises Unavailable as soon as a service does not answer, ConfigError when it refuses us.
    """
    wait_for_endpoint(bucket, queue, timeout_s=0.0)
    resources = wanted_resources(bucket, queue, visibility_s=visibility_s, cors_origins=cors_origins)
    yield from _settled(bucket, resources, verify_only=True)


def _settled(bucket: Bucket, resources: Sequence[Resource], *, verify_only: bool) -> Iterator[Step]:
    endpoint = bucket.client.meta.endpoint_url
    yield Step("endpoint", Outcome.VERIFIED, f"S3 and SQS answer at {endpoint}.")
    damaged = False
    for resource in resources:
        step = Step(resource.name, *_settle(resource, verify_only=verify_only, damaged=damaged))
        damaged = damaged or step.outcome is Outcome.FAILED
        yield step


def wait_for_endpoint(
    bucket: Bucket,
    queue: Queue,
    *,
    timeout_s: float = WAIT_S,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until S3 and SQS answer, whatever they say. Raises Unavailable after `timeout_s`."""
    patient = Retrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(timeout_s),
        sleep=pause,
        reraise=True,
    )
    for ask, error in ((_ask_s3, BucketUnavailable), (_ask_sqs, QueueUnavailable)):
        patient(_expect_answer, lambda ask=ask: ask(bucket, queue), error, bucket.client.meta.endpoint_url)


def _ask_s3(bucket: Bucket, queue: Queue) -> None:
    bucket.client.head_bucket(Bucket=bucket.name)


def _ask_sqs(bucket: Bucket, queue: Queue) -> None:
    queue.client.get_queue_url(QueueName=queue.name)


def _expect_answer(ask: Callable[[], None], error: type[Unavailable], endpoint: str) -> None:
    try:
        ask()
    except FOREIGN_ERRORS as exc:
        if not isinstance(exc, ClientError) or http_status(exc) >= 500:
            raise error(f"{endpoint} does not answer as it should: {sentence(exc)}") from exc
        if http_status(exc) != 404 and not is_missing_queue(exc):
            raise ConfigError(
                f"{endpoint} refuses us, check credentials and permissions: {sentence(exc)}"
            ) from exc


def _settle(resource: Resource, *, verify_only: bool, damaged: bool) -> tuple[Outcome, str]:
    """Compare one resource with what is wanted, and make it so.

    damaged: something it may need is already known to be amiss, so its not answering is no news.
    """
    try:
        difference = resource.difference()
        if difference is None:
            as_it_was = Outcome.VERIFIED if verify_only else Outcome.UNCHANGED
            return as_it_was, f"{_capital(resource.name)}: as it should be."
        if verify_only:
            return Outcome.FAILED, f"{_capital(resource.name)} {difference.what}."
        resource.apply()
    except Unavailable as exc:
        if damaged:
            return Outcome.FAILED, f"{_capital(resource.name)}: {exc}."
        raise type(exc)(f"bootstrap stopped at the {resource.name}: {exc}; it can be run again") from exc
    outcome = Outcome.CREATED if difference.missing else Outcome.UPDATED
    return outcome, f"{_capital(resource.name)} {difference.what}: {outcome}."


def _read_back(resources: Sequence[Resource]) -> tuple[Outcome, str]:
    def differences() -> list[str]:
        found = ((resource, resource.difference()) for resource in resources)
        return [f"{resource.name} {odd.what}" for resource, odd in found if odd]

    until_settled = Retrying(
        retry=retry_if_result(bool),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        stop=stop_after_delay(SETTLE_S),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
    )
    if odd := until_settled(differences):
        return Outcome.FAILED, f"Read back, and found otherwise: {'; '.join(odd)}."
    return Outcome.VERIFIED, f"All {len(resources)} resources read back as they were written."


def round_trip(bucket: Bucket, probe: Probe) -> tuple[Outcome, str]:
    """Send one probe object the whole way, and remove it. Raises Unavailable."""
    key = f"{PROBE_PREFIX}{uuid.uuid4()}"
    started = time.monotonic()
    bucket.put(key, b"probe")
    try:
        while not probe.seen(key):
            if time.monotonic() - started > probe.timeout_s:
                return Outcome.FAILED, f"No event of the probe {key} arrived within {probe.timeout_s:g} s."
            probe.ingest_once()
    finally:
        bucket.delete(key)
    took_ms = (time.monotonic() - started) * 1000
    return Outcome.VERIFIED, f"A probe object went from the bucket to the database in {took_ms:.0f} ms."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
