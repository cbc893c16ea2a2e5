"""Fixtures of the synchronization's tests."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from badges import models
from tests import factories
from tests.integration.fake_provider import Answers, FakeProvider, config


@pytest.fixture(autouse=True)
def answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the provider answers."""
    settings.BADGES_CONFIG = config()
    answers = Answers()
    monkeypatch.setattr(FakeProvider, "answers", answers)
    return answers


@pytest.fixture
def account(db: None) -> models.CredlyOrganization:
    return factories.CredlyOrganizationFactory(name="Acme")
