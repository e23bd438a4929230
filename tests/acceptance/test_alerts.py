"""The alert rules, judged by Prometheus' own tool: on their own tests, and on what real processes tell."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.acceptance.conftest import MakeMachine
from tests.acceptance.machine import Machine
from tests.services import ROOT, Endpoint, wait_until

MONITORING: Final = ROOT / "infra" / "monitoring"
RULES: Final = YAML(typ="safe").load(MONITORING / "alerts.yaml")
ALERTS: Final = [rule["alert"] for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' tool for rules."""
    program = shutil.which("promtool") or shutil.which(ROOT / "build" / "promtool")
    if program is None:
        pytest.fail("promtool is missing: type `make promtool`", pytrace=False)
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def firing(metrics: str, folder: Path) -> list[str]:
    """The alerts that would fire, if what was scraped stayed so for half an hour."""
    test = {
        "rule_files": [str(MONITORING / "alerts.yaml")],
        "tests": [
            {
                "interval": "1m",
                "input_series": series(metrics),
                "alert_rule_test": [{"eval_time": "30m", "alertname": alert} for alert in ALERTS],
            }
        ],
    }
    file = folder / "scraped.yaml"
    file.write_text(json.dumps(test))  # which is YAML too
    done = promtool("test", "rules", file)
    failed = [line.split(",")[0].split()[-1] for line in done.stderr.splitlines() if "alertname: " in line]
    failed += [line.split(",")[0].split()[-1] for line in done.stdout.splitlines() if "alertname: " in line]
    assert (done.returncode == 0) == (not failed), done
    return sorted(set(failed))


def series(metrics: str) -> list[dict[str, Any]]:
    """Scraped samples as series for promtool."""
    return [
        {"series": f"{sample.name}{json_labels(sample.labels)}", "values": f"{sample.value}x40"}
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name.startswith("inspector_")
    ]


def json_labels(labels: dict[str, str]) -> str:
    named = {**labels, "job": "inspector", "instance": "here"}
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in named.items()) + "}"


def test_the_rules_pass_their_own_tests() -> None:
    done = promtool("test", "rules", MONITORING / "alerts_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_configuration_and_the_rules() -> None:
    done = promtool("check", "config", MONITORING / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stack_that_is_well_sets_off_no_alert(house: Machine, tmp_path: Path) -> None:
    assert firing(house.web.get("/metrics").text, tmp_path) == []


def test_where_no_worker_runs_the_alert_fires(
    make_machine: MakeMachine, ministack: Endpoint, database_url: str, tmp_path: Path
) -> None:
    machine = make_machine(
        AWS_ENDPOINT_URL=ministack.url,
        DATABASE_URL=database_url.replace("+psycopg2", ""),
        INSPECTOR_BUCKET="nobody-works",
        INSPECTOR_QUEUE="nobody-works",
        INSPECTOR_DEAD_LETTER_QUEUE="nobody-works-dead",
    )
    machine.run("bootstrap")
    with machine.running("serve") as web:
        wait_until(machine.web.answers, web.process)
        wait_until(lambda: "inspector_feeder_live 1.0" in machine.web.get("/metrics").text, web.process)
        assert firing(machine.web.get("/metrics").text, tmp_path) == ["InspectorNoWorker"]
