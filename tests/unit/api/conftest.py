"""A web application over fakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from inspector.api import create_app
from inspector.settings import Settings
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, FakeBucket, FakePages, FakeSource


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def bucket() -> FakeBucket:
    return FakeBucket()


@pytest.fixture
def pages(source: FakeSource) -> FakePages:
    return FakePages(source)


@pytest.fixture
def web_settings(tmp_path: Path) -> Settings:
    return settings_for_test(data_dir=tmp_path, bucket=BUCKET)


@pytest.fixture
def app(web_settings: Settings, source: FakeSource, bucket: FakeBucket, pages: FakePages) -> Flask:
    """The feeder is not started: every read asks the source."""
    return create_app(web_settings, source, source.listener, bucket, page_source=pages)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
