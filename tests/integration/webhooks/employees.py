"""Employees as events tell of them, and what is stored of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve
from django.db import transaction

from badges.changes import EmployeeBadgeData, EmploymentChange, EmploymentData
from badges.models import EmployeeRecord, ProviderAccount
from badges.processing.retries import retried
from badges.webhooks.applying.employment import apply_employment
from tests.factories import moment

EMPLOYMENT_ID = "ba5cb1ed-0793-4164-a68b-a3fea142051e"
EMAIL = "email1@example.com"
FULL = EmploymentData(
    employment_id=EMPLOYMENT_ID,
    email=EMAIL,
    external_id="ext-id",
    employed_since=moment(-100),
    employee_state="accepted",
    employee_state_updated_at=moment(-50),
    last_invitation_sent_at=moment(-60),
    first_name="John",
    last_name="Doe",
    full_name="John Doe",
    photo_url="https://images.example.com/john.png",
    team="Platform",
    position_title="Engineer",
    manager_first_name="Mary",
    manager_last_name="Major",
    manager_external_id="ext-boss",
    country="Iceland",
    zip_code="101",
    state_or_province="Reykjavik",
    department="Engineering",
)


def badge(number: int = 1, **values: Any) -> EmployeeBadgeData:
    """A badge as the document's example has it."""
    told = EmployeeBadgeData(
        external_id=f"faa0629c-55f3-4293-9964-{number:012}",
        issued_to="Alfred Beaker Skiles",
        issued_to_first_name="Alfred",
        issued_to_middle_name="Beaker",
        issued_to_last_name="Skiles",
        issued_at=moment(-1000),
        expires_at=moment(1000),
        state="accepted",
        is_public=True,
        url=f"https://credly.example.com/badges/{number}",
        template_external_id="83a895ad-1ef6-4b39-a8b7-e102c6c48926",
        template_name=f"Badge Template {number}",
        template_description="Dynamically deliver go forward e-tailers",
        template_image_url="https://images.example.com/template.png",
        skills=("Skill 7", "Skill 8"),
        issuer_name="Organization 4",
        issuer_image_url="https://images.example.com/issuer.png",
    )
    return evolve(told, **values)


def change(at: float, *badges: EmployeeBadgeData, employment: EmploymentData = FULL, **values: Any) -> EmploymentChange:
    """The record at a second after a fixed start, with all badges that can be seen."""
    return EmploymentChange(employment=employment, at=moment(at), **{"badges": badges, **values})


def minimal(at: float, *, is_deleted: bool = False) -> EmploymentChange:
    """What is told of a record that is deleted, or that the organization may not see any more."""
    told = EmploymentData(employment_id=EMPLOYMENT_ID, email=EMAIL, external_id="ext-id")
    return EmploymentChange(employment=told, at=moment(at), is_minimal=True, is_deleted=is_deleted)


def apply(account: ProviderAccount, *changes: EmploymentChange) -> list[str]:
    """Apply changes as the inbox does, each in a transaction that is done again if it loses; what each of them said."""

    def apply_one(one: EmploymentChange) -> str:
        with transaction.atomic():
            return apply_employment(one, account)

    return [retried(partial(apply_one, one)) for one in changes]


def stored(record: EmployeeRecord) -> dict[str, Any]:
    """All that is stored of an employee, but when it was."""
    left_out = ("id", "created", "modified", "_state", "account_id")
    own = {name: value for name, value in vars(record).items() if name not in left_out}
    badges = {
        one.external_id: {name: value for name, value in vars(one).items() if name not in (*left_out, "employee_id")}
        for one in record.badges.all()
    }
    return {**own, "badges": badges}


def now_of(account: ProviderAccount) -> dict[str, Any]:
    """The one employee of an account."""
    return stored(EmployeeRecord.objects.get(account=account))
