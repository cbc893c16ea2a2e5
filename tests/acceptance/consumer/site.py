"""What the processes do with the project: configuring it, consuming, reading the end. Django is set up there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.consumer.checker import Row, Snapshot
from tests.acceptance.consumer.plan import CCX, CCX_PASSING, PASSING, PENALTIES, REQUIREMENTS, TEMPLATES, course


def command(*arguments: str) -> None:
    """A management command, as the command line runs it."""
    from django.core.management import execute_from_command_line

    sys.argv = ["manage.py", *arguments]
    execute_from_command_line(sys.argv)


def configure() -> None:
    """The templates of the plan."""
    from django.db import transaction

    from tests.factories import BadgeTemplateFactory, PenaltyFactory, RequirementFactory

    with transaction.atomic():
        templates = {name: BadgeTemplateFactory(name=name) for name in TEMPLATES}
        rows = {
            one.name: RequirementFactory(
                template=templates[one.template],
                description=one.name,
                group=one.group,
                event_type=CCX_PASSING if one.course == CCX else PASSING,
                rules=[("is_passing", "eq", "true"), _about(one.course)],
            )
            for one in REQUIREMENTS
        }
        for penalty in PENALTIES:
            PenaltyFactory(
                template=templates[penalty.template],
                rules=[("is_passing", "eq", "false"), _about(penalty.course)],
                resets=[rows[name] for name in penalty.resets],
            )


def _about(key: str) -> tuple[str, str, str]:
    return ("course.ccx_course_key" if key == CCX else "course.course_key", "eq", key)


def configure_credly() -> None:
    """A template of the sandbox's organization, for those who pass the first and the second course."""
    from django.core.management import call_command

    from badges.models import CredlyBadgeTemplate
    from demo.sandbox.seed import ORGANIZATION_ID, ORGANIZATION_TOKEN
    from tests.factories import CredlyOrganizationFactory, RequirementFactory

    CredlyOrganizationFactory(external_id=ORGANIZATION_ID, api_key=ORGANIZATION_TOKEN)
    call_command("sync_organization_badge_templates")
    template = CredlyBadgeTemplate.objects.filter(state="active").order_by("pk")[0]
    for number in (1, 2):
        RequirementFactory(
            template=template,
            description=f"both {number}",
            group=str(number),
            rules=[("is_passing", "eq", "true"), _about(course(number))],
        )
    template.is_active = True
    template.save()


POISON = "poison"
"""A learner of whom the database takes no record."""
_TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER poison BEFORE INSERT ON core_user WHEN NEW.username = 'poison' "
        "BEGIN SELECT RAISE(ABORT, 'poison'); END"
    ],
    "mysql": [
        "CREATE TRIGGER poison BEFORE INSERT ON core_user FOR EACH ROW "
        "IF NEW.username = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END IF"
    ],
    "postgresql": [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$",
        "CREATE TRIGGER poison BEFORE INSERT ON core_user FOR EACH ROW WHEN (NEW.username = 'poison') "
        "EXECUTE FUNCTION refuse()",
    ],
}


def refuse_poison() -> None:
    """Have the database itself refuse a learner, every time."""
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in _TRIGGERS[connection.vendor]:
            cursor.execute(statement)


def take_snapshot(path: str) -> None:
    """Write what the database holds."""
    from badges.models import Badge, DeadEvent, Delivery, Fulfillment

    found = {
        "states": [
            [learner, requirement, fulfilled, round(time.timestamp())]
            for learner, requirement, fulfilled, time in Fulfillment.objects.values_list(
                "progress__user__username", "requirement__description", "is_fulfilled", "event_time"
            )
        ],
        "badges": [
            [learner, template, status, str(uuid)]
            for learner, template, status, uuid in Badge.objects.values_list(
                "user__username", "template__name", "status", "uuid"
            )
        ],
        "dead": [
            {"event": str(event or ""), "kind": kind, "message": message, "error": error}
            for event, kind, message, error in DeadEvent.objects.values_list("event_id", "kind", "message_id", "error")
        ],
        "open": Delivery.objects.filter(status__in=Delivery.OPEN).count(),
    }
    Path(path).write_text(json.dumps(found), encoding="utf-8")


def read_snapshot(path: Path, start: int) -> tuple[Snapshot, dict[str, Any]]:
    """What :func:`take_snapshot` wrote, for the checker, and as it is; the play's time starts at ``start``."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    snapshot = Snapshot(
        states={(learner, name): (fulfilled, time - start) for learner, name, fulfilled, time in found["states"]},
        badges=[Row(*badge) for badge in found["badges"]],
        dead=[dead["event"] or dead["message"] for dead in found["dead"]],
    )
    return snapshot, found
