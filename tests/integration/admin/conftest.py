"""Fixtures of the admin's tests."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings

from tests.integration.admin.pages import Staff
from tests.integration.fake_provider import Answers, FakeProvider, config


@pytest.fixture(autouse=True)
def answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the providers answer."""
    settings.BADGES_CONFIG = config()
    answers = Answers()
    monkeypatch.setattr(FakeProvider, "answers", answers)
    return answers


@pytest.fixture
def staff(db: None) -> Staff:
    """Makes the client of a staff member with these permissions and no others."""

    def make(*permissions: str) -> Client:
        user = get_user_model().objects.create_user(f"staff{len(permissions)}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="badges", codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return make
