"""Many rows: what they cost does not depend, row by row, on how many there are."""

from __future__ import annotations

import tracemalloc
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.host.adoption import learners, people, tables
from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from tests.integration.host.adopting import Adoption, adoption
from tests.integration.host.built_in import EARNED, BuiltIn

FEW, MANY = 400, 1_600
AT_ONCE = 200
MOST_FOR_A_PAGE = 16
"""Statements for so many learners as are worked on at once."""
MOST_BYTES_A_ROW = 500
"""Which row belongs to whom, and a sorted list of that, stay in memory until the end. What a row becomes takes more."""

# What is traced is slow, and a busy machine makes it slower.
pytestmark = pytest.mark.xdist_group("busy")


def fill(template: Adoption, first: int, number: int) -> None:
    """Learners who have fulfilled everything, and have the badge."""
    requirements = [tables.BadgeRequirement.objects.get(pk=pk) for pk in template.requirements]
    names = [f"many{count}" for count in range(first, first + number)]
    user: Any = get_user_model()
    user.objects.bulk_create([user(username=name, email=f"{name}@example.com") for name in names])
    last = getattr(tables.BadgeProgress.objects.order_by("-pk").first(), "pk", 0) + 1
    rows = [
        tables.BadgeProgress(pk=last + count, username=name, template=template.there)
        for count, name in enumerate(names)
    ]
    tables.BadgeProgress.objects.bulk_create(rows)
    tables.Fulfillment.objects.bulk_create(
        tables.Fulfillment(progress=row, requirement=requirement) for row in rows for requirement in requirements
    )
    content_type, _ = tables.ContentType.objects.get_or_create(app_label="badges", model="credlybadgetemplate")
    last = getattr(tables.UserCredential.objects.order_by("-pk").first(), "pk", 0) + 1
    credentials = [
        tables.UserCredential(
            pk=last + count,
            created=EARNED + timedelta(seconds=count),
            modified=EARNED + timedelta(seconds=count),
            username=name,
            status="awarded",
            uuid=uuid.uuid4(),
            credential_content_type=content_type,
            credential_id=template.there.pk,
        )
        for count, name in enumerate(names)
    ]
    tables.UserCredential.objects.bulk_create(credentials)
    tables.CredlyBadge.objects.bulk_create(
        tables.CredlyBadge(usercredential_ptr=one, state="accepted", external_uuid=uuid.uuid4()) for one in credentials
    )


@pytest.fixture
def template(built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch) -> Adoption:
    """A Credly template of two groups. Learners and rows are dealt with in smaller parts, so that fewer do."""
    monkeypatch.setattr(learners, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(people, "READ_AT_ONCE", 2 * AT_ONCE)
    made = adoption(built_in)
    for group in "AB":
        made.requirement(group)
    return made


def statements(template: Adoption) -> int:
    """How many an adoption takes."""
    with CaptureQueriesContext(connection) as taken:
        template.run()
    return len(taken)


def test_the_statements_grow_with_the_pages_and_not_with_the_rows(template: Adoption) -> None:
    fill(template, 0, FEW)
    few = statements(template)
    assert few <= MOST_FOR_A_PAGE * 2 + 15
    fill(template, FEW, MANY)

    many = statements(template)

    pages = -(-(FEW + MANY) // AT_ONCE)
    assert many <= MOST_FOR_A_PAGE * pages + 15
    assert BadgeProgress.objects.count() == Badge.objects.count() == FEW + MANY
    assert Fulfillment.objects.count() == Delivery.objects.count() == 2 * (FEW + MANY)


def test_the_memory_hardly_grows_with_the_rows(template: Adoption) -> None:
    fill(template, 0, FEW)
    template.run(apply=False)
    few = most_memory(template)
    fill(template, FEW, MANY)

    many = most_memory(template)

    assert many - few < MANY * MOST_BYTES_A_ROW


def most_memory(template: Adoption) -> int:
    """The most bytes that an adoption has at once."""
    tracemalloc.start()
    try:
        template.run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
