"""The screens are there exactly while the feature is on, at the addresses that operators know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

ROOT = Path(__file__).parents[3]
SCREENS = [
    "accrediblebadge",
    "accredibleapiconfig",
    "accrediblegroup",
    "badge",
    "badgekitbadge",
    "badgekitsystem",
    "badgekittemplate",
    "badgepenalty",
    "badgeprogress",
    "badgerequirement",
    "badgetemplate",
    "busconsumer",
    "credlybadge",
    "credlybadgetemplate",
    "credlyorganization",
    "deadevent",
    "delivery",
    "employeerecord",
    "provideraccount",
]


@pytest.mark.parametrize("model", SCREENS)
def test_a_screen_is_at_its_address(admin_client: Client, model: str) -> None:
    assert admin_client.get(f"/admin/badges/{model}/").status_code == 200


def test_there_is_no_screen_while_the_feature_is_off() -> None:
    program = (
        "import django; django.setup();"
        "from django.contrib import admin;"
        "print([model for model in admin.site._registry if model._meta.app_label == 'badges'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "settings_test", "BADGES_TEST_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"
