"""The templates for AWS, checked without AWS: shapes, names, policies, commands, what the scaling reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import pytest
from cfnlint.decode import decode
from structlog.testing import capture_logs

from inspector.api.glance import Glance
from inspector.api.reporter import Reporter
from inspector.cli import main
from inspector.ops.resources import CORS_RULE, MAX_RECEIVES, RETENTION_S
from inspector.settings import load_settings
from tests.unit.api.fakes import BUCKET, FakeSource
from tests.unit.infra.test_compose import (
    FOREIGN,
    SECRET,
    image_environment,
    instructions,
    variables_of_settings,
)

ROOT: Final = Path(__file__).parents[3]
TEMPLATES: Final = ROOT / "infra" / "aws"
STACKS: Final = ("storage", "access", "database", "cluster", "services")
TASKS: Final = ("web", "worker", "bootstrap")

#: What the template's variables are in infra/iam: the default names, anywhere.
AS_IN_IAM: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": "*",
    "AWS::AccountId": "*",
    "BucketName": "videos",
    "QueueName": "video-events",
    "DeadLetterQueueName": "video-events-dlq",
}


@cache
def template(name: str) -> Any:
    """A template as plain JSON."""
    decoded, faults = decode(str(TEMPLATES / f"{name}.yaml"))
    assert not faults
    return json.loads(json.dumps(decoded))


def resource(stack: str, name: str) -> Any:
    return template(stack)["Resources"][name]["Properties"]


def container(task: str) -> Any:
    stack = "cluster" if task == "bootstrap" else "services"
    (only,) = resource(stack, f"{task.capitalize()}Task")["ContainerDefinitions"]
    return only


def resolved(value: Any) -> str:
    """A text of a template with its variables put in."""
    text: str = value["Fn::Sub"] if isinstance(value, dict) else value
    return re.sub(r"\$\{([\w:]+)\}", lambda found: AS_IN_IAM[found[1]], text)


def a_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_templates_pass_cfn_lint() -> None:
    files = [str(TEMPLATES / f"{name}.yaml") for name in STACKS]
    assert sorted(files) == sorted(map(str, TEMPLATES.glob("*.yaml")))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), *files],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def found_in(value: Any, key: str) -> Iterator[Any]:
    """What stands under a key, however deep."""
    if isinstance(value, dict):
        yield from ([value[key]] if key in value else [])
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from found_in(child, key)


def test_what_one_stack_imports_another_exports() -> None:
    imported = {each["Fn::Sub"] for stack in STACKS for each in found_in(template(stack), "Fn::ImportValue")}
    exported = {
        output["Export"]["Name"]["Fn::Sub"].replace("AWS::StackName", f"{stack.capitalize()}Stack")
        for stack in STACKS
        for output in template(stack)["Outputs"].values()
        if "Export" in output
    }
    assert imported == exported


@pytest.mark.parametrize("stack", STACKS)
def test_the_commands_of_the_guide_give_every_parameter_that_has_no_default(stack: str) -> None:
    guide = (ROOT / "docs" / "deploy-aws.md").read_text().replace("\\\n", " ")
    (arguments,) = re.findall(rf"^deploy {stack} (.*)$", guide, re.MULTILINE)
    given = {argument.partition("=")[0] for argument in arguments.split()}
    parameters = template(stack)["Parameters"]
    assert {name for name, each in parameters.items() if "Default" not in each} == given
    spoken_of = set(re.findall(r"\$\(output (\w+) (\w+)\)", guide))
    assert all(name in template(of)["Outputs"] for of, name in spoken_of)
    assert len(spoken_of) >= 4


# ---------------------------------------------------------------- storage


def test_names_and_times_are_those_of_the_settings() -> None:
    defaults = load_settings(_env_file="")
    for stack in ("storage", "access", "cluster", "services"):
        parameters = template(stack)["Parameters"]
        assert parameters["QueueName"]["Default"] == defaults.queue
        assert parameters["DeadLetterQueueName"]["Default"] == defaults.dead_letter_queue
    queue = resource("storage", "Queue")
    assert queue["VisibilityTimeout"] == defaults.visibility_timeout_s
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES
    for each in ("Queue", "DeadLetterQueue"):
        assert resource("storage", each)["MessageRetentionPeriod"] == RETENTION_S


def test_browsers_are_let_in_as_bootstrap_lets_them_in() -> None:
    (rule,) = resource("storage", "Bucket")["CorsConfiguration"]["CorsRules"]
    assert (rule["Id"], rule["MaxAge"]) == (CORS_RULE["ID"], CORS_RULE["MaxAgeSeconds"])
    assert rule["AllowedMethods"] == CORS_RULE["AllowedMethods"]
    assert rule["ExposedHeaders"] == CORS_RULE["ExposeHeaders"]


# ---------------------------------------------------------------- access


@pytest.mark.parametrize("role", TASKS)
def test_each_role_has_the_policy_of_infra_iam_and_no_other(role: str) -> None:
    wanted = json.loads((ROOT / "infra" / "iam" / f"{role}.json").read_text())["Statement"]
    policies = {
        each["PolicyName"]: each for each in resource("access", f"{role.capitalize()}Role")["Policies"]
    }
    statements = [
        {
            **each,
            "Action": a_list(each["Action"]),
            "Resource": [resolved(one) for one in a_list(each["Resource"])],
        }
        for each in policies.pop(role)["PolicyDocument"]["Statement"]
    ]
    assert statements == [
        {**each, "Action": a_list(each["Action"]), "Resource": a_list(each["Resource"])} for each in wanted
    ], f"make infra/aws/access.yaml say what infra/iam/{role}.json says"
    assert set(policies) == ({"protection"} if role == "worker" else set())


def test_a_worker_may_ask_for_protection_of_tasks_and_for_nothing_else_of_ecs() -> None:
    protection = resource("access", "WorkerRole")["Policies"][1]["PolicyDocument"]["Statement"]
    assert [each["Action"] for each in protection] == ["ecs:UpdateTaskProtection"]


# ---------------------------------------------------------------- services


def environment(task: str) -> dict[str, str]:
    """The variables of a container, with something plausible where another stack knows the value."""
    given = {pair["Name"]: pair["Value"] for pair in container(task)["Environment"]}
    secrets = {pair["Name"]: SECRET for pair in container(task)["Secrets"]}
    plain = {name: value if isinstance(value, str) else "from-elsewhere" for name, value in given.items()}
    return {**plain, **secrets, "DATABASE_URL": "postgresql://inspector@database/inspector?sslmode=require"}


@pytest.mark.parametrize("task", TASKS)
def test_the_environment_makes_valid_settings(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = environment(task)
    assert set(variables) - variables_of_settings() <= FOREIGN | {"TMPDIR"}
    for name, value in {**image_environment(), **variables}.items():
        if name in variables_of_settings():
            monkeypatch.setenv(name, value)
    settings = load_settings(_env_file="")
    assert settings.use_aws
    assert settings.database_url is not None
    assert settings.has_tokens == (task == "web")
    assert (settings.report_s > 0) == (task == "web")
    assert settings.scratch == Path(container(task)["MountPoints"][0]["ContainerPath"])


@pytest.mark.parametrize("task", TASKS)
def test_every_command_is_one_of_the_inspector_and_bootstraps_nothing_by_itself(task: str) -> None:
    name, *arguments = container(task)["Command"]
    found = main.get_command(click.Context(main), name)
    assert found is not None
    found.make_context(name, list(arguments))  # raises if an option does not exist
    assert container(task)["EntryPoint"] == ["inspector"], "only one role may do what bootstrap does"


@pytest.mark.parametrize("task", TASKS)
def test_containers_run_as_the_image_does_and_can_write_to_scratch_only(task: str) -> None:
    assert ("USER", container(task)["User"]) in instructions()
    assert container(task)["ReadonlyRootFilesystem"]
    assert container(task)["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert environment(task)["TMPDIR"] == "/scratch"


def test_services_get_more_time_to_stop_than_they_take() -> None:
    for task in ("web", "worker"):
        assert container(task)["StopTimeout"] > load_settings(_env_file="").shutdown_grace_s


def test_health_is_asked_at_ports_that_are_listened_on() -> None:
    settings = load_settings(_env_file="")
    targets = resource("services", "WebTargets")
    assert (targets["Port"], targets["HealthCheckPath"]) == (settings.port, "/livez")
    code = container("worker")["HealthCheck"]["Command"][-1]
    assert f"http://127.0.0.1:{settings.worker_metrics_port}/metrics" in code
    compile(code, "healthcheck", "exec")


def test_a_task_has_one_worker_process_which_speaks_for_it() -> None:
    assert container("worker")["Command"] == ["work", "--workers", "1"]


def test_a_worker_has_room_for_ffmpeg() -> None:
    memory_bytes = int(template("services")["Parameters"]["WorkerMemoryMiB"]["Default"]) * 2**20
    assert memory_bytes > load_settings(_env_file="").tool_memory_bytes


# ---------------------------------------------------------------- scaling and alarms


def test_what_metrics_are_made_of_is_what_the_web_reports() -> None:
    with capture_logs() as logs:
        Reporter(Glance(FakeSource(), BUCKET), 60).run_once()
    (report,) = logs
    filters = [
        each["Properties"]
        for each in template("services")["Resources"].values()
        if each["Type"] == "AWS::Logs::MetricFilter"
    ]
    assert len(filters) == 3
    for each in filters:
        assert each["FilterPattern"] == f'{{ $.event = "{report["event"]}" }}'
        (made,) = each["MetricTransformations"]
        assert isinstance(report[made["MetricValue"].removeprefix("$.")], int | float)


def test_the_scaling_and_the_alarms_read_metrics_that_are_made() -> None:
    resources = template("services")["Resources"].values()
    made = {
        each["Properties"]["MetricTransformations"][0]["MetricName"]
        for each in resources
        if each["Type"] == "AWS::Logs::MetricFilter"
    }
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    (policy,) = (
        e["Properties"] for e in resources if e["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
    )
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]["Metrics"]
    read = [each["MetricStat"]["Metric"] for each in tracked if "MetricStat" in each]
    ours = {each["MetricName"] for each in [*alarms, *read] if isinstance(each["Namespace"], dict)}
    assert ours == made
    assert {each["MetricName"]: each["TreatMissingData"] for each in alarms}["Workers"] == "breaching"
