"""Settings from a file, the environment and `.env`: who wins, what is refused, and what is said of it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inspector.cli import main
from inspector.configuration import example_file
from inspector.errors import ConfigError
from inspector.settings import Settings, load_settings
from tests.services import settings_for_test

SECRET = "sesame-open-up-0123"
WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty present folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INSPECTOR_CONFIG")
    return tmp_path


def write(text: str, name: str = "inspector.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    path.chmod(0o600)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_environment_wins_over_dotenv_over_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('bucket = "file"\nqueue = "file"\naws_region = "file"\nport = 5002\n')
    write("INSPECTOR_QUEUE=dotenv\nAWS_REGION=dotenv\nPOSTGRES_PASSWORD=none-of-ours\n", ".env")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "env")
    settings = load_settings()
    assert (settings.bucket, settings.queue, settings.aws_region) == ("file", "dotenv", "env")
    assert (settings.port, settings.workers) == (5002, 2)
    assert load_settings(port=5003).port == 5003


def test_a_file_that_is_named_is_read_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    write('bucket = "present"\n')
    other = write('bucket = "other"\n', "other.toml")
    monkeypatch.setenv("INSPECTOR_CONFIG", str(other))
    assert load_settings().bucket == "other"
    assert load_settings(config=Path("inspector.toml")).bucket == "present"


def test_lists_and_webhooks_are_written_as_toml_has_them() -> None:
    write(
        'key_suffixes = [".MP4", ".mkv"]\n[[webhooks]]\nurl = "https://hooks.example/a"\n'
        f'secret = "{WEBHOOK}"\nevents = ["match.found"]\n'
    )
    settings = load_settings()
    assert settings.key_suffixes == (".mp4", ".mkv")
    (endpoint,) = settings.webhook_endpoints
    assert (endpoint.label, endpoint.events) == ("hooks.example", ("match.found",))


def test_a_child_process_gets_what_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write('bucket = "file"\nkey_suffixes = [".mp4"]\n', "other.toml")
    environment = load_settings(config=path).as_environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().bucket == "file"
    assert load_settings().as_environment() == environment


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prt = 1\n", "did you mean port"),
        ("INSPECTOR_PORT = 1\n", "did you mean port"),
        ("zzzzzz = 1\n", "no such setting"),
        ('workers = "many"\n', "workers .*other.toml.*integer"),
        ("key_suffixes = [1]\n", "key_suffixes"),
        ("port = [\n", "no TOML"),
        ('config = "other.toml"\n', "remove `config`"),
    ],
)
def test_what_makes_no_sense_in_the_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(config=write(text, "other.toml"))


def test_a_file_that_is_named_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for missing in ("nowhere.toml", str(folder)):
        monkeypatch.setenv("INSPECTOR_CONFIG", missing)
        with pytest.raises(ConfigError, match="no configuration file"):
            load_settings()


# ---------------------------------------------------------------- inspector config


def test_check_names_every_fault_its_place_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    write("prt = 5002\nworkers = 1000\n")
    write("INSPECTOR_HOTS=0.0.0.0\n", ".env")
    monkeypatch.setenv("INSPECTOR_PORT", "5OO1")
    monkeypatch.setenv("INSPECTOR_TOKEN", "short")
    found = run("config", "check")
    assert found.exit_code == 1
    for line in (
        "INSPECTOR_PORT (environment): Input should be a valid integer",
        "Port of the web server. Correct it, or remove it for the default.",
        "INSPECTOR_TOKEN (environment): must have at least 16 characters",
        "workers (inspector.toml): Input should be less than or equal to 64",
        "prt (inspector.toml): there is no such setting: did you mean port?",
        "INSPECTOR_HOTS (.env): there is no such setting: did you mean INSPECTOR_HOST?",
    ):
        assert line in found.stdout
    assert "wrong settings: 5" in found.stderr


def test_check_is_content_with_what_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "none set" in run("config", "check").stdout
    write(f'token = "{SECRET}"\n').chmod(0o600)
    monkeypatch.setenv("INSPECTOR_PORT", "5002")
    found = run("config", "check")
    assert found.exit_code == 0
    assert "1 in environment, 1 in inspector.toml" in found.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('database_url = "mysql://me:hidden@db/films"', "must be the address of a PostgreSQL"),
        ('aws_endpoint_url = "localhost:4566"', "must be an address with its scheme"),
        ('s3_public_url = "s3.example.com"', "must be an address with its scheme"),
    ],
)
def test_check_knows_addresses_that_cannot_be_right(text: str, said: str) -> None:
    write(text)
    found = run("config", "check")
    assert (found.exit_code, said in found.stdout) == (1, True)
    assert "hidden" not in found.output


def test_check_notes_that_two_kinds_of_s3_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write("use_aws = true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    found = run("config", "check")
    assert found.exit_code == 0
    assert "use_aws (inspector.toml), AWS_ENDPOINT_URL (environment): name two kinds of S3" in found.stdout


def test_a_folder_is_no_configuration_file(folder: Path) -> None:
    (folder / "inspector.toml").mkdir()
    assert "inspector.toml is a folder" in run("config", "check").output


def test_check_warns_of_secrets_that_others_may_read() -> None:
    path = write(f'token = "{SECRET}"\n')
    path.chmod(0o644)
    found = run("config", "check")
    assert found.exit_code == 0
    assert "chmod 600 inspector.toml" in found.stdout
    assert SECRET not in found.output


def test_show_says_where_each_setting_comes_from_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    write(f'bucket = "mine"\ntoken = "{SECRET}"\n')
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ann:{SECRET}@db.example/films")
    shown = json.loads(run("config", "show", "--json").stdout)
    assert [(one["name"], one["value"], one["from"], one["as"]) for one in shown] == [
        ("database_url", "***", "environment", "DATABASE_URL"),
        ("bucket", "mine", "inspector.toml", "bucket"),
        ("token", "***", "inspector.toml", "token"),
    ]
    table = run("config", "show", "--all").stdout
    assert "DATABASE_URL (environment)" in table
    assert all(name in table for name in Settings.model_fields)
    assert SECRET not in table


def test_the_example_sets_nothing_and_holds_every_default() -> None:
    assert not tomllib.loads(example_file())
    uncommented = "\n".join(
        line.removeprefix("#") for line in example_file().splitlines() if line[1:2] != " "
    )
    found = load_settings(config=write(uncommented, "other.toml"))
    assert set(tomllib.loads(uncommented)) == set(Settings.model_fields) - {"config"}
    assert found.model_copy(update={"config": None}) == settings_for_test()
