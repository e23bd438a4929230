"""Alerts, their tests, the runbook and the dashboard speak of the same things, and of metrics that exist."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from ruamel.yaml import YAML

from tests.services import ROOT

MONITORING: Final = ROOT / "infra" / "monitoring"
RULES: Final = YAML(typ="safe").load(MONITORING / "alerts.yaml")
TESTS: Final = YAML(typ="safe").load(MONITORING / "alerts_test.yaml")
DASHBOARD: Final = json.loads((MONITORING / "grafana.json").read_text())
#: What every process of ours tells without our doing.
FOREIGN: Final = frozenset({"process_start_time_seconds"})


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """The rules of this kind (`alert` or `record`), by name."""
    return {rule[kind]: rule for group in RULES["groups"] for rule in group["rules"] if kind in rule}


def known_metrics() -> set[str]:
    """As docs/metrics.md lists them, which another test holds to what the processes tell."""
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(inspector_\w+)", row)}


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression reads, by the names under which they are documented."""
    names = set(re.findall(r"\b(?:inspector|process)_\w+", expression)) - FOREIGN
    return {re.sub(r"_bucket$", "", name) for name in names}


def recorded_in(expression: str) -> set[str]:
    return set(re.findall(r"\binspector:[\w:]+", expression))


def expressions() -> list[str]:
    found = [rule["expr"] for kind in ("alert", "record") for rule in rules(kind).values()]
    return found + [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_rules_and_dashboard_read_metrics_that_exist() -> None:
    assert {name for text in expressions() for name in metrics_in(text)} - known_metrics() == set()
    assert {name for text in expressions() for name in recorded_in(text)} == set(rules("record"))


def test_every_alert_has_an_entry_in_the_runbook_and_leads_to_it() -> None:
    entries = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert entries == list(rules("alert"))
    for name, rule in rules("alert").items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_alert_is_tested_to_fire_and_not_to_fire() -> None:
    cases = [case for test in TESTS["tests"] for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == quiet == set(rules("alert"))


def test_every_entry_of_the_runbook_says_what_to_do() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    for entry in text.split("\n## ")[1:]:
        assert "\n1. " in entry, entry.splitlines()[0]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_prometheus_scrapes_the_ports_of_the_settings() -> None:
    config = YAML(typ="safe").load(MONITORING / "prometheus.yaml")
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "inspector"
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:5001", "127.0.0.1:9464", "127.0.0.1:9465"]
    assert config["rule_files"] == ["alerts.yaml"]
