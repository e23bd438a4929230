"""The documents say what is there: every command, setting, metric, route and field, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import pytest
from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from inspector import __version__, metrics
from inspector.api.app import background
from inspector.api.documents import page_document, status_document
from inspector.api.glance import Glance
from inspector.api.problems import TYPE_PREFIX
from inspector.api.scrape import Beside, Derived
from inspector.aws.queue import QueueDepths
from inspector.cli import main
from inspector.cli.scan import COLUMNS
from inspector.errors import RejectReason
from inspector.model import (
    AudioInfo,
    DuplicateStatus,
    Evidence,
    MediaInfo,
    Segment,
    State,
    Verdict,
    VideoStatus,
    WorkerStatus,
)
from inspector.settings import Settings
from inspector.store import Database
from inspector.store.vitals import IndexSize
from tests.integration.rest import rest_app, rest_settings
from tests.unit.api.fakes import BUCKET, FakeSource

ROOT: Final = Path(__file__).parents[3]
DOCUMENTS: Final = tuple(sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]))
OFFERED_BY_CLICK: Final = frozenset({"--help", "-h"})
OURS: Final = "inspector_"
BESIDE: Final = Beside(
    lambda: QueueDepths(1, 2, 3), lambda: IndexSize(1, 2, 3, 4), lambda: {"worker-0": 1}, sweep_interval_s=300
)


@cache
def read(name: str) -> str:
    return (ROOT / name).read_text()


def in_code(text: str) -> set[str]:
    """What stands between backticks, and each word of it."""
    spans = set(re.findall(r"`([^`\n]+)`", text))
    return spans | {word for span in spans for word in re.findall(r"[\w./<>:-]+", span)}


def section(text: str, title: str) -> str:
    """The text under a heading, up to the next heading of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[2]


# ---------------------------------------------------------------- README


def settings_table() -> str:
    """The table of all settings, as it has to stand in the README."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        names = [f"`INSPECTOR_{name.upper()}`"]
        if field.validation_alias is not None:
            choices: Any = field.validation_alias
            names = [f"`{choice}`" for choice in choices.choices]
        lines.append(f"| {', '.join(names)} | {_default(field.default)} | {field.description} |")
    return "\n".join(lines)


def _default(value: object) -> str:
    if value is None or value == () or value == "":
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`"


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    table = settings_table()
    assert table in read("README.md"), f"the table of settings has to be:\n{table}"


def commands() -> dict[str, click.Command]:
    context = click.Context(main)
    return {
        name: command for name in main.list_commands(context) if (command := main.get_command(context, name))
    }


def options() -> list[tuple[str, str]]:
    """(command, option) of everything that `--help` shows."""
    return [
        (name, option)
        for name, command in commands().items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
        if option not in OFFERED_BY_CLICK
    ]


@pytest.mark.parametrize("command", list(commands()))
def test_the_readme_lists_every_command(command: str) -> None:
    assert re.search(rf"^\| `inspector {command}\b", read("README.md"), re.MULTILINE)


@pytest.mark.parametrize(("command", "option"), options())
def test_the_readme_names_every_option_beside_its_command(command: str, option: str) -> None:
    (row,) = re.findall(rf"^\| `inspector {command}\b.*$", read("README.md"), re.MULTILINE)
    assert option in in_code(row)


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `inspector (\w+)", read("README.md"), re.MULTILINE))
    assert named == set(commands())


def test_the_readme_names_the_columns_of_a_scan() -> None:
    assert ",".join(COLUMNS) in read("README.md")


def test_every_target_of_make_is_explained() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE))
    text = read("README.md") + read("CONTRIBUTING.md")
    assert not {target for target in targets if f"make {target}" not in text}


# ---------------------------------------------------------------- docs/api.md


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """All routes; nothing is asked of this database."""
    return rest_app(Database("postgresql+psycopg2://nobody@127.0.0.1:9/none"), rest_settings(tmp_path))


def test_every_route_is_documented(app: Flask) -> None:
    spoken = {re.sub(r"<\w+:", "<", rule.rule) for rule in app.url_map.iter_rules()}
    documented = {
        address
        for row in re.findall(r"^\| .*\|$", section(read("docs/api.md"), "Addresses"), re.MULTILINE)
        for address in re.findall(r"(?:GET|POST|DELETE) (/[^`?]*)", row)
    }
    assert documented == spoken


def full_status() -> VideoStatus:
    """A status with every field that may be there."""
    media = MediaInfo(
        "mov", 10.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 1000, AudioInfo("aac", 44100, 2), 1, 800
    )
    evidence = Evidence(1, 2, 3, weights={"cuts": 1.0, "frames": 1.0, "presence": 1.0, "sounds": 1.0})
    other = DuplicateStatus(
        2, BUCKET, "b.mp4", Verdict.PARTIAL, 0.9, 1.0, (Segment(0, 1, 2, 3, 0.9),), evidence
    )
    return VideoStatus(
        1, 1, BUCKET, "a.mp4", State.REJECTED, 7, reason="empty", error="x", media=media, duplicates=(other,)
    )


def fields(document: Any) -> Iterator[str]:
    """The names of all fields, however deep."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from fields(value)
    elif isinstance(document, list):
        for value in document:
            yield from fields(value)


def test_every_field_of_a_status_is_explained() -> None:
    explained = in_code(section(read("docs/api.md"), "One video"))
    assert not set(fields(status_document(full_status()))) - explained


def test_every_field_of_a_page_is_explained() -> None:
    explained = in_code(section(read("docs/api.md"), "All videos"))
    assert not set(page_document([], None)) - explained


@pytest.mark.parametrize("words", [State, Verdict, RejectReason], ids=lambda words: words.__name__)
def test_every_word_of_the_answers_is_explained(words: Any) -> None:
    assert not {word.value for word in words} - in_code(section(read("docs/api.md"), "One video"))


def test_every_type_of_problem_is_explained() -> None:
    source = read("inspector/api/problems.py")
    types = set(re.findall(r'^    "([a-z-]+)": "', source, re.MULTILINE))
    explained = in_code(section(read("docs/api.md"), "Errors"))
    assert "not-found" in types
    assert not types - explained
    assert any(TYPE_PREFIX in span for span in explained)


def test_every_check_of_readiness_is_explained(app: Flask) -> None:
    checks = app.test_client().get("/readyz").get_json()["checks"]
    assert not set(checks) - in_code(section(read("docs/api.md"), "Readiness"))


# ---------------------------------------------------------------- docs/metrics.md


def metric_names(app: Flask) -> set[str]:
    """Every metric that a worker or the web may show, by the name that Prometheus sees."""
    source = FakeSource()
    source.put("a.mp4")
    source.workers = (WorkerStatus("w", "host", 1, "", 0.0, False),)
    derived = CollectorRegistry()
    derived.register(Derived(Glance(source, BUCKET), background(app).feeder, BESIDE))
    ours = CollectorRegistry()
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            ours.register(metric)
    families = [family for registry in (derived, ours) for family in registry.collect()]
    suffix = {"counter": "_total", "info": "_info"}
    return {family.name + suffix.get(family.type, "") for family in families}


def test_every_metric_is_documented_and_no_other(app: Flask) -> None:
    documented = {
        name
        for row in re.findall(r"^\| (.*?) \|", read("docs/metrics.md"), re.MULTILINE)
        for name in re.findall(r"`(inspector_\w+)", row)
    }
    not_always_there = {"inspector_sweep_age_seconds", "inspector_monitor_age_seconds"}
    assert documented - not_always_there == metric_names(app) - not_always_there
    assert not_always_there <= documented


def test_no_metric_hides_outside_the_one_module() -> None:
    known = {
        family.name
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.collect()
    }
    registered = {family.name for family in REGISTRY.collect() if family.name.startswith(OURS)}
    assert registered == known


# ---------------------------------------------------------------- all documents


def links() -> list[tuple[str, str]]:
    """(document, target) of every relative link."""
    return [
        (path.relative_to(ROOT).as_posix(), target)
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
        if not target.startswith(("http://", "https://", "mailto:"))
    ]


@pytest.mark.parametrize(("document", "target"), links())
def test_every_link_leads_somewhere(document: str, target: str) -> None:
    path, _, fragment = target.partition("#")
    found = (ROOT / document).parent / path if path else ROOT / document
    assert found.exists()
    if fragment:
        headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
        assert fragment in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}


def test_every_room_is_described_in_the_architecture() -> None:
    rooms = {path.parent.name for path in (ROOT / "inspector").glob("*/__init__.py")}
    described = set(re.findall(r"^  (\w+)/", read("docs/architecture.md"), re.MULTILINE))
    assert described == rooms


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{__version__}]" in read("CHANGELOG.md")
