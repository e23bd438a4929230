"""Image and composition, checked without a Docker engine: shapes, names, commands, sources."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import pytest
from pydantic import AliasChoices
from ruamel.yaml import YAML

from inspector import __version__
from inspector.cli import main
from inspector.errors import ConfigError
from inspector.settings import Settings, load_settings

ROOT: Final = Path(__file__).parents[3]
COMPOSE: Final = ROOT / "docker-compose.yml"
DOCKERFILE: Final = ROOT / "infra" / "Dockerfile"

#: What other programs of our containers read: libpq, Python, the shell.
FOREIGN: Final = frozenset({"PGPASSWORD", "PYTHONUNBUFFERED", "PATH"})
#: What the images of others read.
OF_IMAGES: Final = {
    "postgres": frozenset({"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}),
    "localstack": frozenset({"SERVICES", "EAGER_SERVICE_LOADING"}),
}
OURS: Final = ("web", "worker")
SECRET: Final = "a secret of 16 characters"


@cache
def compose() -> Any:
    """The composition with its anchors resolved, as plain dicts and lists."""
    return YAML(typ="safe", pure=True).load(COMPOSE)


def service(name: str) -> Any:
    return compose()["services"][name]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments)."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def image_environment() -> dict[str, str]:
    arguments = " ".join(rest for word, rest in instructions() if word == "ENV")
    return dict(pair.split("=", 1) for pair in arguments.split())


def variables_of_settings() -> set[str]:
    """Every environment variable that sets a setting."""
    names = set()
    for name, field in Settings.model_fields.items():
        names.add(f"INSPECTOR_{name.upper()}")
        if isinstance(field.validation_alias, AliasChoices):
            names |= {choice for choice in field.validation_alias.choices if isinstance(choice, str)}
    return names


def interpolated(text: str) -> str:
    return re.sub(r"\$\{\w+:\?[^}]*\}", SECRET, text)


# ---------------------------------------------------------------- docker-compose.yml


def test_the_composition_keeps_to_the_specification() -> None:
    check = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_it_names_the_services_that_are_promised() -> None:
    assert set(compose()["services"]) == {"localstack", "postgres", *OURS}
    assert service("localstack")["image"] == "localstack/localstack:4.14.0"
    assert service("worker")["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_our_containers_is_a_setting(name: str) -> None:
    unknown = set(service(name)["environment"]) - variables_of_settings() - FOREIGN
    assert not unknown


@pytest.mark.parametrize("name", sorted(OF_IMAGES))
def test_other_images_get_variables_they_know(name: str) -> None:
    assert set(service(name)["environment"]) <= OF_IMAGES[name]


@pytest.mark.parametrize("name", OURS)
def test_the_environment_makes_valid_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {**image_environment(), **service(name)["environment"]}.items():
        if variable not in FOREIGN:
            monkeypatch.setenv(variable, interpolated(value))
    settings = load_settings(_env_file="")
    assert settings.token is not None
    assert settings.token.get_secret_value() == SECRET
    assert settings.has_s3
    assert settings.database_url is not None
    assert settings.s3_public_url == "http://localhost:4566"


def test_secrets_come_from_the_environment_and_must_be_given() -> None:
    variables = set(re.findall(r"\$\{(\w+)[^}]*\}", COMPOSE.read_text()))
    required = set(re.findall(r"\$\{(\w+):\?[^}]+\}", COMPOSE.read_text()))
    offered = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert variables == required == offered == {"POSTGRES_PASSWORD", "INSPECTOR_TOKEN"}


def test_a_token_left_empty_never_opens_the_web() -> None:
    with pytest.raises(ConfigError, match="set INSPECTOR_TOKEN"):
        load_settings(_env_file="", host="0.0.0.0", token="")  # noqa: S104


def test_ports_are_published_to_this_machine_only() -> None:
    published = [port for one in compose()["services"].values() for port in one.get("ports", [])]
    assert published == ["127.0.0.1:4566:4566", "127.0.0.1:5001:5001"]
    assert load_settings(_env_file="").port == 5001


@pytest.mark.parametrize("name", OURS)
def test_our_containers_start_when_what_they_need_is_healthy(name: str) -> None:
    needs = service(name)["depends_on"]
    assert {need: how["condition"] for need, how in needs.items()} == {
        "postgres": "service_healthy",
        "localstack": "service_healthy",
    }
    assert all("healthcheck" in service(need) for need in needs)


@pytest.mark.parametrize("name", sorted({"localstack", "postgres", *OURS}))
def test_everything_starts_again_after_a_crash(name: str) -> None:
    assert service(name)["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_get_more_time_to_stop_than_they_take(name: str) -> None:
    grace_s = float(service(name)["stop_grace_period"].removesuffix("s"))
    assert grace_s > load_settings(_env_file="").shutdown_grace_s


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_to_scratch_and_tmp_only(name: str) -> None:
    assert service(name)["read_only"]
    assert service(name)["tmpfs"] == ["/tmp"]  # noqa: S108
    assert image_environment()["INSPECTOR_SCRATCH_DIR"] == "/scratch"
    assert ("VOLUME", "/scratch") in instructions()


def test_named_volumes_are_declared_and_used() -> None:
    mounted = [mount for one in compose()["services"].values() for mount in one.get("volumes", [])]
    named = {mount.partition(":")[0] for mount in mounted if not mount.startswith("/")}
    assert named == set(compose()["volumes"])
    assert "postgres:/var/lib/postgresql" in mounted  # since 18; before, it was …/data


def test_health_is_asked_at_ports_that_are_listened_on() -> None:
    settings = load_settings(_env_file="")
    (web,) = (rest for word, rest in instructions() if word == "HEALTHCHECK")
    assert f"http://127.0.0.1:{settings.port}/livez" in web
    worker = service("worker")["healthcheck"]["test"]
    assert f"http://127.0.0.1:{settings.worker_metrics_port}/metrics" in worker[-1]
    assert service("postgres")["healthcheck"]["test"][1] == "pg_isready"
    for code in (re.search(r'"-c", "([^"]+)"', web), re.match("(.*)", worker[-1])):
        assert code is not None
        compile(code[1], "healthcheck", "exec")


# ---------------------------------------------------------------- commands


def commands() -> list[list[str]]:
    """What is run in our containers: by the composition, and by the image itself."""
    (default,) = (rest for word, rest in instructions() if word == "CMD")
    return [*(service(name)["command"] for name in OURS), re.findall(r'"([^"]*)"', default)]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_one_of_the_inspector(command: list[str]) -> None:
    name, *arguments = command
    found = main.get_command(click.Context(main), name)
    assert found is not None
    found.make_context(name, list(arguments))  # raises if an option does not exist


def test_the_entrypoint_runs_bootstrap_and_becomes_the_command() -> None:
    assert ("ENTRYPOINT", '["entrypoint.sh"]') in instructions()
    script = ROOT / "entrypoint.sh"
    assert script.stat().st_mode & 0o111
    assert main.get_command(click.Context(main), "bootstrap") is not None
    assert 'inspector bootstrap\nexec inspector "$@"\n' in script.read_text()


# ---------------------------------------------------------------- Dockerfile


def sources() -> list[str]:
    """What the Dockerfile copies from this folder."""
    copies = [rest.split() for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    return [source.rstrip("/") for *given, _ in copies for source in given]


@pytest.mark.parametrize("source", sources())
def test_what_is_copied_exists_and_is_sent_to_the_engine(source: str) -> None:
    assert (ROOT / source).exists()
    assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_nothing_private_is_sent_to_the_engine() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    assert "*" in rules
    assert sorted(allowed) == sorted(sources())
    assert not any(fnmatch(".env", rule) for rule in allowed)


def test_the_image_runs_as_nobody_in_particular() -> None:
    words = [word for word, _ in instructions()]
    assert ("USER", "10001") in instructions()
    assert any("useradd --system --uid 10001" in rest for word, rest in instructions() if word == "RUN")
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "RUN" not in words[words.index("USER") :]


def test_the_image_has_a_python_and_an_ffmpeg_that_we_support() -> None:
    bases = {rest.split()[0] for word, rest in instructions() if word == "FROM"}
    assert bases == {"python:3.11-slim-bookworm"}
    installed = " ".join(rest for word, rest in instructions() if word == "RUN")
    assert "apt-get install -y --no-install-recommends bubblewrap ffmpeg" in installed


def test_the_image_says_what_it_is() -> None:
    (labels,) = (rest for word, rest in instructions() if word == "LABEL")
    said = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', labels))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert said == {
        "title": project["name"],
        "description": project["description"],
        "version": __version__,
        "revision": "$COMMIT",
        "licenses": project["license"],
    }


def test_every_variable_of_the_image_is_a_setting() -> None:
    assert set(image_environment()) - FOREIGN <= variables_of_settings()
