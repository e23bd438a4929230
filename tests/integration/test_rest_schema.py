"""Schemathesis over the OpenAPI document: no 5xx, and every answer is as documented.

A short run of it here; INSPECTOR_FUZZ_EXAMPLES makes it as long as one likes (`make fuzz-api`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from inspector.model import State, Verdict
from inspector.store import Database
from tests.integration.rest import Shelf, rest_app, rest_settings

EXAMPLES: Final = int(os.environ.get("INSPECTOR_FUZZ_EXAMPLES", "4"))
TOKEN: Final = "a token of many characters"
ADMIN: Final = {"Authorization": f"Bearer {TOKEN}"}
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: S3 is nowhere in this test, so these can only say that it cannot be asked.
UNAVAILABLE: Final = 503


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    shelf = Shelf(database, "videos")
    shelf.match("a", "b", Verdict.CONTAINED)
    for key, state in {"a": State.DONE, "b": State.DONE, "c": State.FAILED, "d": State.QUEUED}.items():
        shelf.put(key, state)
    return rest_app(database, rest_settings(tmp_path, token=SecretStr(TOKEN), rate_limit=0))


def test_whatever_is_asked_the_answer_is_as_documented(app: Flask) -> None:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=ADMIN)
    tried = 0
    for result in schema.get_all_operations():
        assert not isinstance(result, Err), result.err()
        try_operation(result.ok())
        tried += 1
    assert tried >= 20


def try_operation(operation: Any) -> None:
    call: Callable[..., None] = settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES < 100,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(judge_all(operation))
    call()


def judge_all(operation: Any) -> Callable[..., None]:
    @given(case=operation.as_strategy())
    def judge(case: Any) -> None:
        answer = case.call(headers=ADMIN)
        if answer.status_code == UNAVAILABLE:
            assert answer.headers["content-type"][0] == "application/problem+json"
            return
        case.validate_response(answer, checks=CHECKS)

    return judge
