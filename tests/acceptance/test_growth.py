"""A backfill as a person types it, from the first look to the last video."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.acceptance.conftest import MakeMachine
from tests.acceptance.machine import S3, Machine
from tests.film import SHOTS, cut_together
from tests.services import Endpoint


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return cut_together(tmp_path / "film.mp4", SHOTS[:2])


@pytest.fixture
def full(make_machine: MakeMachine, ministack: Endpoint, database_url: str, film: Path) -> Iterator[Machine]:
    """A machine beside a bucket in which videos have long been, and of which nobody told it."""
    machine = make_machine(
        AWS_ENDPOINT_URL=ministack.url,
        DATABASE_URL=database_url.replace("+psycopg2", ""),
        INSPECTOR_BUCKET="full",
        INSPECTOR_QUEUE="full-events",
        INSPECTOR_DEAD_LETTER_QUEUE="full-dead",
        INSPECTOR_POLL_WAIT_S="1",
    )
    machine.s3 = S3(ministack.url, "full")
    machine.s3.client.create_bucket(Bucket="full")
    for queue in ("full-events", "full-dead"):
        _queues(machine.s3).create_queue(QueueName=queue)
    for key in ("old/a.mp4", "old/b.mp4", "new.mp4"):
        machine.s3.put(key, film)
    yield machine
    assert machine.processes() == {}
    for item in machine.s3.client.list_objects_v2(Bucket="full").get("Contents", ()):
        machine.s3.delete(item["Key"])
    machine.s3.client.delete_bucket(Bucket="full")


def _queues(s3: S3) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=s3.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.mark.timeout(300)  # three commands and a worker, on a busy machine
def test_what_has_long_been_there_is_inspected(full: Machine, tmp_path: Path) -> None:
    inventory = tmp_path / "keys.csv.gz"
    inventory.write_bytes(gzip.compress(b'"full","old/a.mp4"\n"full","new.mp4"\n'))
    queued = full.run("backfill", inventory)
    assert "looked at 2 objects, queued 2" in queued.stdout
    assert "no worker is running" in queued.stderr
    with full.running("work", "--workers", "1") as work:
        done = full.run("backfill", "s3://full/", "--wait").stdout
        assert "looked at 3 objects" in done
        assert "everything that has long been there is inspected" in done
        assert work.stop() == 0
    assert "names no objects" in full.refuses("backfill", "s3://full/odl/")
