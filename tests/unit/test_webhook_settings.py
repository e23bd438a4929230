"""Endpoints of webhooks in the settings: checked at the start, and never quoted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inspector.errors import ConfigError
from inspector.settings import load_settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://hooks.example/a?b=c"


def load(*endpoints: dict[str, Any]) -> Any:
    return load_settings(_env_file=None, webhooks=json.dumps(endpoints)).webhook_endpoints


def test_an_endpoint_is_called_by_its_name_or_its_host() -> None:
    found = load({"url": URL, "secret": SECRET}, {"url": URL, "secret": SECRET, "name": "b"})
    assert [endpoint.label for endpoint in found] == ["hooks.example", "b"]
    assert found[0].events == ()


def test_no_endpoint_is_the_default() -> None:
    assert load_settings(_env_file=None, webhooks="").webhook_endpoints == ()


@pytest.mark.parametrize(
    "endpoints",
    [
        [{"url": URL}],
        [{"url": "ftp://hooks.example", "secret": SECRET}],
        [{"url": "https://", "secret": SECRET}],
        [{"url": "https://user:password@hooks.example", "secret": SECRET}],
        [{"url": "https://hooks.example/a b", "secret": SECRET}],
        [{"url": "https://hooks.example/\r\nX: y", "secret": SECRET}],
        [{"url": URL, "secret": "whsec_c2hvcnQ="}],
        [{"url": URL, "secret": SECRET.removeprefix("whsec_")}],
        [{"url": URL, "secret": SECRET, "events": ["video.gone"]}],
        [{"url": URL, "secret": SECRET, "typo": 1}],
        [{"url": URL, "secret": SECRET}, {"url": URL, "secret": SECRET}],
    ],
)
def test_what_cannot_work_is_refused_without_quoting_it(endpoints: list[dict[str, Any]]) -> None:
    with pytest.raises(ConfigError, match="webhooks") as refused:
        load(*endpoints)
    assert SECRET[6:] not in str(refused.value)
    assert "password@" not in str(refused.value)
