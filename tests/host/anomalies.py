"""Rows of the built-in module that show, once each, what such a database is known to hold.

Accounts, templates and keys are those of the provider sandbox.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.sandbox import seed

Row = tuple[str, dict[str, Any]]
"""The label of a model of the stand-in, and the values of a row."""

PASSING = "org.openedx.learning.course.passing.status.updated.v1"
CCX_PASSING = "org.openedx.learning.ccx.course.passing.status.updated.v1"
EARLY = datetime(2025, 3, 1, tzinfo=UTC)
"""When all templates were made; badges came a day later, and were changed two days later."""
_NAMESPACE = uuid.UUID("5e1f0000-0000-4000-8000-000000000000")

SANDBOX_UNIVERSITY, PRECONFIGURED, ACCREDIBLE, LARGE_ACCREDIBLE = 1, 2, 1, 2
"""Accounts: a key in the table; a key in the settings alone; keys in the table."""

BOTH_COURSES = 1
"""Active, groups A (a course or its CCX) and B (another course, with a penalty)."""
EITHER_COURSE = 2
"""Active, two requirements without a group: one was enough."""
ONE_COURSE = 3
"""Active, a single requirement without a group."""
DRAFT = 4
"""Inactive, a draft at its provider, without requirements."""
ARCHIVED = 5
"""Active there, but archived at its provider."""
NO_RULES = 6
"""Active, but its only requirement has no rules: nothing ever fulfilled it."""
PENALTY_WITHOUT_RULES = 7
"""Active, but its penalty has no rules: it never took anything away."""
UNREADABLE = 8
"""Active, but its rule names what the event has not."""
WITHOUT_PROVIDER = 9
"""Active, of the origin openedx: it can be fulfilled, and is awarded by nobody."""
GROUP = 9001
"""Active, a group at Accredible."""
OVERWRITTEN = 9002
"""A group at Accredible whose id was the primary key of a Credly template, which it overwrote."""
DANGLING = 777
"""The id of a template that was deleted; badges of it are still there."""

LEARNERS = tuple(
    "anna ben cleo cora dora emil fay gus hal ida kim lena mona nia oli pia quin rosa sara tom uma".split()  # noqa: SIM905
)
"""Those who have a user. What is special about each is said where its rows are."""
NOBODY = ("ida_before", "nobody_knows", "ghost")
"""Usernames in rows for which there is no user: one that was replaced, one of nobody, one of a deleted user."""


def course(number: int) -> str:
    """The key of a course."""
    return f"course-v1:edX+C{number}+2026"


def named(text: str) -> uuid.UUID:
    """A UUID that is the same each time."""
    return uuid.uuid5(_NAMESPACE, text)


def anomalies(types: Mapping[str, int], issued: Mapping[str, str]) -> Iterator[Row]:
    """All rows, those first that others refer to.

    Arguments:
        types: the name of a model -> the id of its content type.
        issued: username -> the external id of its Credly badge; made up for whoever is not in it.
    """
    yield from _accounts()
    yield from _templates()
    yield from _requirements()
    yield from _penalties()
    yield from _progress()
    yield from _badges(types, issued)


def _accounts() -> Iterator[Row]:
    yield _made(
        "CredlyOrganization",
        id=SANDBOX_UNIVERSITY,
        uuid=uuid.UUID(seed.ORGANIZATION_ID),
        api_key=seed.ORGANIZATION_TOKEN,
        name="Sandbox University",
    )
    yield _made(
        "CredlyOrganization", id=PRECONFIGURED, uuid=uuid.UUID(seed.LARGE_ORGANIZATION_ID), api_key="", name=None
    )
    yield _made("AccredibleAPIConfig", id=ACCREDIBLE, name="Sandbox Academy", api_key=seed.ACCREDIBLE_KEY)
    yield _made("AccredibleAPIConfig", id=LARGE_ACCREDIBLE, name=None, api_key=seed.LARGE_ACCREDIBLE_KEY)


def _templates() -> Iterator[Row]:
    yield from credly(BOTH_COURSES, "python-basics", "Python Basics", icon="https://images.example.com/python.png")
    yield from credly(EITHER_COURSE, "data-science", "Data Science Path")
    yield from credly(ONE_COURSE, "open-learner", "Open Learner")
    yield from credly(DRAFT, "mentor", "Community Mentor", is_active=False, state="draft")
    yield from credly(ARCHIVED, "pioneer-2019", "Pioneer 2019", state="archived")
    yield from credly(NO_RULES, "large-1", "Any Course", organization=PRECONFIGURED)
    yield from credly(PENALTY_WITHOUT_RULES, "large-2", "Never Lost", organization=PRECONFIGURED)
    yield from credly(UNREADABLE, "large-3", "Unreadable", organization=PRECONFIGURED)
    yield _template(WITHOUT_PROVIDER, named("own"), "Our Own", origin="openedx", description=None, icon=None)
    yield from _group(GROUP, "Web Foundations")
    yield from _group(OVERWRITTEN, "Cloud Practitioner")
    yield "badges.CredlyBadgeTemplate", {"badgetemplate_ptr_id": OVERWRITTEN, "organization_id": SANDBOX_UNIVERSITY}


def _requirements() -> Iterator[Row]:
    yield from requirement(11, BOTH_COURSES, "A", 1)
    yield from requirement(12, BOTH_COURSES, "A", 1, event_type=CCX_PASSING, path="course.master_course_key")
    yield from requirement(13, BOTH_COURSES, "B", 2)
    yield from requirement(21, EITHER_COURSE, None, 1)
    yield from requirement(22, EITHER_COURSE, None, 2)
    yield from requirement(31, ONE_COURSE, None, 3)
    yield from requirement(51, ARCHIVED, "A", 4)
    yield _requirement(61, NO_RULES, "A")
    yield from requirement(71, PENALTY_WITHOUT_RULES, "A", 5)
    yield from requirement(81, UNREADABLE, "A", 6, path="course.mood")
    yield from requirement(91, WITHOUT_PROVIDER, "A", 7)
    yield from requirement(101, GROUP, "A", 8)
    yield from requirement(111, OVERWRITTEN, "A", 9)


def _penalties() -> Iterator[Row]:
    for number, template, of in ((1, BOTH_COURSES, 13), (2, PENALTY_WITHOUT_RULES, 71)):
        yield "badges.BadgePenalty", {"id": number, "template_id": template, "event_type": PASSING}
        yield (
            "badges.BadgePenalty_requirements",
            {"id": number, "badgepenalty_id": number, "badgerequirement_id": of},
        )
    for number, path, value in ((1, "course.course_key", course(2)), (2, "is_passing", "false")):
        yield "badges.PenaltyDataRule", {"id": number, "penalty_id": 1, "data_path": path, "value": value}


def _progress() -> Iterator[Row]:
    """The learners' rows. All that is not said otherwise is of the template with both courses."""
    # Complete, and what else happened to them stands with their badges.
    for number, name in enumerate(("anna", "dora", "emil", "fay", "gus", "nia", "oli", "quin", "uma"), start=1):
        yield from progress(number, name, BOTH_COURSES, 11, 13)
    # Twice, each with another requirement, one of which was counted twice: together complete, and never awarded.
    yield from progress(20, "ben", BOTH_COURSES, 11)
    yield from progress(21, "ben", BOTH_COURSES, 13, 13)
    # Awarded after the first of two groups.
    yield from progress(22, "cleo", BOTH_COURSES, 11)
    yield from progress(23, "cora", BOTH_COURSES, 12)
    # A penalty came upon partial progress.
    yield from progress(24, "hal", BOTH_COURSES)
    # Renamed since: the host renames its own records, and not these. The second row came under the new name.
    yield from progress(25, "ida_before", BOTH_COURSES, 11, 13)
    yield from progress(26, "ida", BOTH_COURSES, 11)
    yield from progress(27, "nobody_knows", BOTH_COURSES, 11)
    # Of a template, and of a requirement, that were deleted.
    yield from progress(28, "kim", None, None)
    yield from progress(29, "kim", BOTH_COURSES, 11, None)
    # One of two that stand without a group; the single one; without a provider; at Accredible.
    yield from progress(30, "lena", EITHER_COURSE, 22)
    yield from progress(31, "mona", ONE_COURSE, 31)
    yield from progress(32, "rosa", WITHOUT_PROVIDER, 91)
    yield from progress(33, "pia", GROUP, 101)
    yield from progress(34, "sara", GROUP, 101)
    yield from progress(35, "tom", OVERWRITTEN, 111)


def _badges(types: Mapping[str, int], issued: Mapping[str, str]) -> Iterator[Row]:
    def at_credly(number: int, name: str, template: int, state: str, *, issue: bool = True, **other: Any) -> list[Row]:
        external = uuid.UUID(issued.get(name) or str(named(f"external {number}"))) if issue else None
        return badge(types, "credly", number, name, template, state, external, **other)

    yield from at_credly(1, "anna", BOTH_COURSES, "accepted")
    # Premature, and at the provider; premature, and lost there.
    yield from at_credly(2, "cleo", BOTH_COURSES, "accepted")
    yield from at_credly(3, "cora", BOTH_COURSES, "error", issue=False)
    # What the provider never got: an error, no answer, and a process that was killed.
    yield from at_credly(4, "dora", BOTH_COURSES, "error", issue=False)
    yield from at_credly(5, "quin", BOTH_COURSES, "no_response", issue=False)
    yield from at_credly(6, "emil", BOTH_COURSES, "created", issue=False)
    # Revoked; revoked here, while the provider was not reached; revoked although nobody ever had it.
    yield from at_credly(7, "fay", BOTH_COURSES, "revoked", status="revoked")
    yield from at_credly(8, "gus", BOTH_COURSES, "error", status="revoked")
    yield from at_credly(9, "hal", BOTH_COURSES, "created", status="revoked", issue=False)
    # Renamed since, with the host's own record.
    yield from at_credly(10, "ida", BOTH_COURSES, "accepted")
    yield from at_credly(11, "nia", BOTH_COURSES, "pending")
    yield from at_credly(12, "oli", BOTH_COURSES, "rejected")
    yield from at_credly(13, "uma", BOTH_COURSES, "expired")
    yield from at_credly(14, "ghost", BOTH_COURSES, "accepted")
    yield from at_credly(15, "lena", EITHER_COURSE, "accepted")
    yield from at_credly(16, "mona", ONE_COURSE, "accepted")
    # Of the template that was overwritten, and of one that was deleted.
    yield from at_credly(17, "tom", OVERWRITTEN, "accepted")
    yield from at_credly(18, "uma", DANGLING, "accepted")
    # Revoked at Accredible is expired there.
    yield from badge(types, "accredible", 19, "pia", GROUP, "expired", 70001, status="revoked")
    yield from badge(types, "accredible", 20, "sara", GROUP, "accepted", 70002)
    yield from badge(types, "accredible", 21, "tom", OVERWRITTEN, "error", None)
    # Somebody's course certificate, whose number happens to be that of a template.
    yield (
        "credentials.UserCredential",
        _credential(types["coursecertificate"], 22, "anna", BOTH_COURSES, "awarded"),
    )


def credly(number: int, slug: str, name: str, *, organization: int = SANDBOX_UNIVERSITY, **other: Any) -> list[Row]:
    """A template of Credly; ``slug`` is the sandbox's."""
    return [
        _template(number, uuid.UUID(seed.template_id(slug)), name, origin="credly", **other),
        ("badges.CredlyBadgeTemplate", {"badgetemplate_ptr_id": number, "organization_id": organization}),
    ]


def requirement(
    number: int,
    template: int,
    blend: str | None,
    of: int,
    *,
    event_type: str = PASSING,
    path: str = "course.course_key",
) -> list[Row]:
    """A requirement to pass a course, with its two rules."""
    rules = enumerate(((path, course(of)), ("is_passing", "true")), start=2 * number)
    return [
        _requirement(number, template, blend, event_type=event_type),
        *(
            ("badges.DataRule", {"id": id_, "requirement_id": number, "data_path": path, "value": value})
            for id_, (path, value) in rules
        ),
    ]


def progress(number: int, username: str, template: int | None, *fulfilled: int | None) -> list[Row]:
    """A row of progress, and one for each fulfilled requirement. Room for nine of them."""
    fulfilments = enumerate(fulfilled, start=10 * number)
    return [
        ("badges.BadgeProgress", {"id": number, "username": username, "template_id": template}),
        *(
            ("badges.Fulfillment", {"id": id_, "progress_id": number, "requirement_id": one, "blend": None})
            for id_, one in fulfilments
        ),
    ]


def badge(
    types: Mapping[str, int],
    provider: str,
    number: int,
    username: str,
    template: int,
    state: str,
    external: uuid.UUID | int | None,
    *,
    status: str = "awarded",
) -> list[Row]:
    """A badge: the host's row, and the provider's."""
    model, child, key = {
        "credly": ("credlybadgetemplate", "badges.CredlyBadge", "external_uuid"),
        "accredible": ("accrediblegroup", "badges.AccredibleBadge", "external_id"),
    }[provider]
    return [
        ("credentials.UserCredential", _credential(types[model], number, username, template, status)),
        (child, {"usercredential_ptr_id": number, "state": state, key: external}),
    ]


def _credential(content_type: int, number: int, username: str, template: int, status: str) -> dict[str, Any]:
    return {
        "id": number,
        "created": EARLY + timedelta(days=1, seconds=number),
        "modified": EARLY + timedelta(days=2, seconds=number),
        "credential_content_type_id": content_type,
        "credential_id": template,
        "username": username,
        "status": status,
        "uuid": named(f"badge {number}"),
    }


def _made(model: str, /, **values: Any) -> Row:
    return f"badges.{model}", {"created": EARLY, "modified": EARLY, **values}


def _template(number: int, of: uuid.UUID, name: str, **other: Any) -> Row:
    values = {"is_active": True, "state": "active", "description": f"Earned: {name}.", "icon": "", **other}
    return _made("BadgeTemplate", id=number, uuid=of, name=name, site_id=1, **values)


def _group(number: int, name: str) -> list[Row]:
    return [
        _template(number, named(f"group {number}"), name, origin="accredible"),
        ("badges.AccredibleGroup", {"badgetemplate_ptr_id": number, "api_config_id": ACCREDIBLE}),
    ]


def _requirement(number: int, template: int, blend: str | None, *, event_type: str = PASSING) -> Row:
    values = {"id": number, "template_id": template, "event_type": event_type, "blend": blend, "description": ""}
    return "badges.BadgeRequirement", values
