"""What the demo configures, what its learners do, and what must come of it. Needs Django to be set up."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable

from attrs import frozen
from django.core.management import call_command
from django.urls import reverse

from badges.models import (
    AccredibleAPIConfig,
    AccredibleGroup,
    BadgePenalty,
    BadgeRequirement,
    BadgeTemplate,
    CredlyBadgeTemplate,
    CredlyOrganization,
    DataRule,
    PenaltyDataRule,
)
from badges.models.configuration import Configuration
from demo.report import Lines
from demo.sandbox import seed

PASSING = "org.openedx.learning.course.passing.status.updated.v1"
CCX_PASSING = "org.openedx.learning.ccx.course.passing.status.updated.v1"
TOPIC = "learning-badges-lifecycle"


WANTED = (
    *("badge.created", "badge.deleted", "badge.privacy.changed", "badge.state.changed"),
    *("badge_template.created", "badge_template.changed", "badge_template.deleted"),
)
"""The events that the organization has chosen at Credly: the others would tell of the same badges once more."""


@frozen
class Course:
    """A course that learners take; ``ccx_key`` where it is a custom course of somebody's own."""

    title: str
    key: str
    ccx_key: str = ""

    @property
    def event_type(self) -> str:
        """The event by which the LMS tells that somebody passes or fails it."""
        return CCX_PASSING if self.ccx_key else PASSING

    @property
    def rule(self) -> tuple[str, str]:
        """Key path and value that tell this course from others."""
        return ("course.ccx_course_key", self.ccx_key) if self.ccx_key else ("course.course_key", self.key)


PYTHON = Course("Python", "course-v1:DemoX+PY101+2026")
STATISTICS = Course("Statistics", "course-v1:DemoX+ST101+2026")
PROBABILITY = Course("Probability", "course-v1:DemoX+PR101+2026")
WEB = Course("Web", "course-v1:DemoX+WB101+2026")
CLASSROOM = Course("Classroom", "course-v1:DemoX+PY101+2026", ccx_key="ccx-v1:DemoX+PY101+2026+ccx@1")


@frozen
class Person:
    """A learner at the LMS; this service has not heard of them before their first event."""

    id: int
    username: str
    name: str


ANNA = Person(101, "anna", "Anna Maria Lee")
BEN = Person(102, "ben", "Ben Okafor")
CARLA = Person(103, "carla", "Carla Rossi")
DAVID = Person(104, "david", "David Novak")
EMMA = Person(105, "emma", "Emma Larsen")


@frozen
class Deed:
    """Something that a learner does."""

    who: Person
    course: Course
    passes: bool = True

    def command(self) -> list[str]:
        """The management command that puts the event on the bus, as the LMS would."""
        course = {"course_key": self.course.key}
        if self.course.ccx_key:
            course = {"ccx_course_key": self.course.ccx_key, "master_course_key": self.course.key}
        pii = {"username": self.who.username, "email": f"{self.who.username}@example.com", "name": self.who.name}
        user = {"id": self.who.id, "is_active": True, "pii": pii}
        data = {"course_passing_status": {"is_passing": self.passes, "user": user, "course": course}}
        return ["produce_event", self.course.event_type, "--topic", TOPIC, "--data", json.dumps(data)]


@frozen
class Expected:
    """What must have come of it for one learner and one badge."""

    who: Person
    template: str
    """``credly``, ``accredible`` or ``openedx``: the demo has one of each."""
    fulfilled: int
    groups: int
    badge: str = ""
    """``awarded``, ``revoked``, or empty for none."""
    states: frozenset[str] = frozenset()
    """What the provider may say of it."""


FIRST_DEEDS = (
    Deed(ANNA, PYTHON),
    Deed(ANNA, STATISTICS),
    Deed(BEN, PYTHON),
    Deed(BEN, PROBABILITY),
    Deed(CARLA, PYTHON),
    Deed(CARLA, CLASSROOM),
    Deed(DAVID, PYTHON),
    Deed(DAVID, STATISTICS),
    Deed(EMMA, WEB),
)
FIRST_RESULTS = (
    Expected(ANNA, "credly", 2, 2, "awarded", frozenset({"pending", "accepted"})),
    Expected(BEN, "credly", 2, 2, "awarded", frozenset({"pending", "accepted"})),
    Expected(CARLA, "credly", 1, 2),
    Expected(CARLA, "openedx", 1, 1, "awarded", frozenset({""})),
    Expected(DAVID, "credly", 2, 2, "awarded", frozenset({"pending", "accepted"})),
    Expected(EMMA, "accredible", 1, 1, "awarded", frozenset({"published"})),
)
LATER_DEEDS = (
    Deed(CARLA, STATISTICS, passes=False),
    Deed(DAVID, PYTHON, passes=False),
    Deed(EMMA, WEB, passes=False),
)
LATER_RESULTS = (
    Expected(ANNA, "credly", 2, 2, "awarded", frozenset({"accepted"})),
    *FIRST_RESULTS[1:4],
    Expected(DAVID, "credly", 1, 2, "revoked", frozenset({"revoked"})),
    Expected(EMMA, "accredible", 0, 1, "revoked", frozenset({"expired"})),
)
ACCEPTS = ANNA
"""Who accepts her badge at Credly."""
MISSING_DEED = Deed(CARLA, STATISTICS)
"""What keeps a learner from her badge at the end."""


@frozen
class Templates:
    """The badges of the demo."""

    credly: BadgeTemplate
    accredible: BadgeTemplate
    openedx: BadgeTemplate

    def by_kind(self, kind: str) -> BadgeTemplate:
        """The one of this kind."""
        template: BadgeTemplate = getattr(self, kind)
        return template


def add_accounts() -> None:
    """Enter the two provider accounts, as staff would in the admin."""
    _save(
        CredlyOrganization(name="Sandbox University", external_id=seed.ORGANIZATION_ID, api_key=seed.ORGANIZATION_TOKEN)
    )
    _save(AccredibleAPIConfig(name="Sandbox Academy", api_key=seed.ACCREDIBLE_KEY))


def webhook_address(base_url: str) -> str:
    """Where Credly is to call back for the organization: staff copies it from the admin. It holds a secret."""
    account = CredlyOrganization.objects.get(external_id=seed.ORGANIZATION_ID)
    path = reverse("badges:webhook-secret", args=(account.provider, account.pk, str(account.webhook_secret)))
    return f"{base_url}{path}"


def synchronize(output: Lines) -> None:
    """Bring the templates here, with the commands that operators use; they print their own report."""
    call_command("sync_organization_badge_templates", "--site_id", "1", stdout=output)
    call_command("sync_accredible_groups", "--site_id", "1", stdout=output)


def configure() -> Templates:
    """Say what earns each badge and what takes it away, and activate them."""
    credly = CredlyBadgeTemplate.objects.get(external_id=seed.template_id("data-science"))
    python = _require(credly, PYTHON, group="A")
    _require(credly, STATISTICS, group="B")
    _require(credly, PROBABILITY, group="B")
    _penalize(credly, PYTHON, resets=python)

    accredible = AccredibleGroup.objects.get(external_id=seed.GROUP_IDS[0])
    _penalize(accredible, WEB, resets=_require(accredible, WEB))

    openedx = BadgeTemplate(name="Class of 2026", description="For those who pass in the classroom.")
    _save(openedx)
    _require(openedx, CLASSROOM)

    for template in (credly, accredible, openedx):
        template.is_active = True
        _save(template)
    return Templates(credly, accredible, openedx)


def description(templates: Templates) -> list[tuple[str, str]]:
    """Each badge, and its requirements and penalties in words."""
    rows = []
    for template in (templates.credly, templates.accredible, templates.openedx):
        groups: dict[str, list[str]] = {}
        for requirement in template.requirements.all():
            groups.setdefault(requirement.group or str(requirement.pk), []).append(requirement.description)
        penalties = [penalty.description for penalty in template.penalties.all()]
        wanted = " AND ".join(f"({' OR '.join(group)})" if len(group) > 1 else group[0] for group in groups.values())
        lost = f"; taken away by: {', '.join(penalties)}" if penalties else ""
        rows.append((template.name, f"({template.origin}) {wanted}{lost}"))
    return rows


def produce(deeds: Iterable[Deed], tell: Callable[[str], None]) -> None:
    """Put one event on the bus for each deed, with the producer that an LMS has."""
    for deed in deeds:
        tell(f"{deed.who.username:<6} {'passes' if deed.passes else 'fails':<6} {deed.course.title}")
        call_command(*deed.command(), stdout=io.StringIO())


def _require(template: BadgeTemplate, course: Course, group: str = "") -> BadgeRequirement:
    requirement = BadgeRequirement(
        template=template, event_type=course.event_type, group=group, description=f"Pass {course.title}"
    )
    _save(requirement)
    for path, value in (course.rule, ("is_passing", "true")):
        _save(DataRule(requirement=requirement, data_path=path, operator="eq", value=value))
    return requirement


def _penalize(template: BadgeTemplate, course: Course, *, resets: BadgeRequirement) -> None:
    penalty = BadgePenalty(template=template, event_type=course.event_type, description=f"Fail {course.title}")
    penalty.save()
    penalty.requirements.add(resets)
    for path, value in (course.rule, ("is_passing", "false")):
        _save(PenaltyDataRule(penalty=penalty, data_path=path, operator="eq", value=value))


def _save(row: CredlyOrganization | AccredibleAPIConfig | Configuration) -> None:
    """Save a row with the checks that the admin makes. Its provider is set by its class."""
    row.full_clean(exclude={"provider"})
    row.save()
