"""infra/aws deployed into an emulator: bootstrap finds nothing to do, and a video goes through."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.model import State
from inspector.ops.bootstrap import Outcome
from inspector.settings import Settings
from inspector.stack import ministack_program
from inspector.stack.ministack import answers
from inspector.store import Database
from inspector.store.status import StatusReader
from inspector.wiring.bootstrap import run_bootstrap
from tests.services import ROOT, Endpoint, free_port, running, settings_for_test, wait_until

REGION: Final = "eu-central-1"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Endpoint]:
    """A MiniStack that knows CloudFormation and IAM, too, and nothing of other tests."""
    port = free_port()
    program = ministack_program(settings_for_test(data_dir=tmp_path, embedded_s3_port=port))
    env = {**program.env, "SERVICES": "s3,sqs,sts,iam,cloudformation"}
    with running(program.argv, env, tmp_path / "ministack.log") as process:
        wait_until(lambda: answers(port), process)
        yield Endpoint("ministack", f"http://127.0.0.1:{port}")


def deploy(cloud: Endpoint, name: str, **parameters: str) -> dict[str, str]:
    """Make a stack of one of the templates; its outputs."""
    session: Any = boto3.Session("test", "test", region_name=REGION)
    client = session.client("cloudformation", endpoint_url=cloud.url)
    client.create_stack(
        StackName=name,
        TemplateBody=(ROOT / "infra" / "aws" / f"{name}.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    def stack() -> Any:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    made = wait_until(stack)
    assert made["StackStatus"] == "CREATE_COMPLETE", client.describe_stack_events(StackName=name)
    return {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}


def settings_of(outputs: dict[str, str], cloud: Endpoint, database_url: str, tmp_path: Path) -> Settings:
    return settings_for_test(
        aws_endpoint_url=cloud.url,
        aws_region=REGION,
        bucket=outputs["BucketName"],
        queue=outputs["QueueName"],
        dead_letter_queue=outputs["DeadLetterQueueName"],
        database_url=database_url,
        data_dir=tmp_path,
        worker_metrics_port=0,
        poll_wait_s=1,
    )


def inspector(settings: Settings, *arguments: str) -> tuple[Sequence[str], dict[str, str]]:
    """The command line and the environment of a command."""
    return (sys.executable, "-m", "inspector", *arguments), {**os.environ, **settings.as_environment()}


def test_a_deployed_stack_is_complete_and_inspects_a_video(
    cloud: Endpoint, database_url: str, films: dict[str, Path], tmp_path: Path
) -> None:
    outputs = deploy(cloud, "storage", BucketName="films-of-ours")
    settings = settings_of(outputs, cloud, database_url, tmp_path)

    command, env = inspector(settings, "bootstrap", "--verify-only", "--probe")
    verified = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "A probe object went from the bucket to the database" in verified.stdout
    assert {step.outcome for step in run_bootstrap(settings).steps} == {Outcome.UNCHANGED, Outcome.VERIFIED}

    Bucket(make_s3(settings), settings.bucket, make_signer(settings)).upload(films["clip"], "clip.mp4")
    with closing(Database(database_url)) as db:
        statuses = StatusReader(db, min_score=settings.min_score)

        def state() -> State | None:
            found = statuses.by_key(settings.bucket, "clip.mp4")
            return found.state if found is not None and found.state.final else None

        command, env = inspector(settings, "work", "--workers", "1")
        with running(command, env, tmp_path / "worker.log") as worker:
            assert wait_until(state, worker) is State.DONE
    assert Queue(make_sqs(settings), settings.queue, settings.dead_letter_queue).depths().dead == 0


def test_the_roles_can_be_made(cloud: Endpoint) -> None:
    outputs = deploy(cloud, "access", BucketName="films-of-ours")
    assert set(outputs) == {"WebRoleArn", "WorkerRoleArn", "BootstrapRoleArn"}
