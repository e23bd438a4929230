"""The OpenAPI document says what is there, for programs and as a page; roles hold for every operation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr

from inspector.api.tokens import hash_token
from inspector.store import Database
from tests.integration.rest import rest_app, rest_settings

READER, ADMIN = "insp_reader", "a token of many characters"


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    settings = rest_settings(
        tmp_path, token=SecretStr(ADMIN), read_tokens=(hash_token(READER.encode()),), rate_limit=0
    )
    return rest_app(database, settings)


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/openapi.json", headers=bearer(READER))
    found: dict[str, Any] = answer.get_json()
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_view_of_the_api_is_in_the_document_and_no_other(app: Flask, document: dict[str, Any]) -> None:
    views = {
        (re.sub(r"<(?:[^<:]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    documented = {(path, method) for path, method, _ in operations(document)}
    assert documented <= views
    assert {view for view in views if view[0].startswith("/api/v1")} <= documented
    assert {("/status", "get"), ("/status/{key}", "get"), ("/readyz", "get")} <= documented


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= set(schemas)


def test_every_operation_explains_itself(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["responses"]["default"]["content"]["application/problem+json"]
        if path.startswith("/api/v1"):
            assert all(each.get("description") for each in operation.get("parameters", [])), (path, method)


def test_the_page_shows_every_operation_without_a_script(app: Flask, document: dict[str, Any]) -> None:
    page = app.test_client().get("/api", headers=bearer(READER)).get_data(as_text=True)
    for _, _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page
    assert "<script" not in page
    assert "style=" not in page


def test_reading_takes_a_token_and_changing_an_admins(app: Flask, document: dict[str, Any]) -> None:
    client = app.test_client()
    for path, method, _ in operations(document):
        address = re.sub(r"\{\w+\}", "1", path)
        if path in ("/livez", "/readyz"):
            continue
        assert client.open(address, method=method).status_code == 401
        if method != "get":
            assert client.open(address, method=method, headers=bearer(READER)).status_code == 403
            crossed = {**bearer(ADMIN), "Origin": "https://elsewhere.example"}
            assert client.open(address, method=method, headers=crossed).status_code == 403
