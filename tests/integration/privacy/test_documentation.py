"""Every model says what it holds of people, and the page on privacy says it of every model and setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import fields
from django.apps import apps
from django.db import models

from badges.conf import RetentionSettings
from badges.privacy.retention import KINDS
from badges.privacy.retirement import retire
from tests import factories

PAGE = (Path(__file__).parents[3] / "docs" / "privacy.rst").read_text()
MODELS = list(apps.get_app_config("badges").get_models())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_says_what_it_holds_of_people(model: type[models.Model]) -> None:
    told = model.__doc__ or ""

    assert re.search(r"^ *\.\. no_pii:", told, re.MULTILINE) or all(
        re.search(rf"^ *\.\. {word}: \S", told, re.MULTILINE) for word in ("pii", "pii_types", "pii_retirement")
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_page_tells_of_a_model(model: type[models.Model]) -> None:
    assert f"``{model.__name__}``" in PAGE


def test_every_setting_is_a_kind_that_is_deleted_and_is_told_with_its_default() -> None:
    settings = {one.name: one.default for one in fields(RetentionSettings)}

    assert set(settings) == set(KINDS)
    for name, days in settings.items():
        assert f'"{name}": {days:g},' in PAGE


@pytest.mark.django_db
def test_the_page_tells_of_everything_that_retirement_does() -> None:
    for key in retire(factories.UserFactory()):
        assert f"   * - ``{key}``" in PAGE


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_model_that_refers_to_a_user_is_not_one_without_personal_data(model: type[models.Model]) -> None:
    from django.contrib.auth import get_user_model

    refers = any(one.related_model is get_user_model() for one in model._meta.get_fields() if one.is_relation)

    assert not (refers and ".. no_pii:" in (model.__doc__ or ""))
