"""The databases that the other tests' processes get."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.project import Project

NO_REDIS = "redis://127.0.0.1:1/0"
REFUSED = """
from django.db import IntegrityError, transaction
try:
    with transaction.atomic():
        {}
except IntegrityError:
    print('true')
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, NO_REDIS)


def test_a_database_is_migrated_and_nobody_elses(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path, NO_REDIS)

    project.python("BadgeFactory()")

    project.manage("migrate", "--check")
    assert other.python("print(Badge.objects.count())") == 0


@pytest.mark.parametrize(
    "violation",
    [
        "BadgeFactory(); badge = Badge.objects.get(); BadgeFactory(user=badge.user, template=badge.template)",
        "BadgeProgress.objects.create(user_id=1, template_id=1)",
        "DeliveryFactory(status='done', finished_at=None)",
    ],
    ids=["unique", "foreign-key", "check"],
)
def test_a_copy_has_the_constraints_of_what_was_migrated(project: Project, violation: str) -> None:
    assert project.python(REFUSED.format(violation)) is True
