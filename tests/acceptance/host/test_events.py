"""After the adoption: the real consumer, a real Redis, the provider sandbox, and the host's own records."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from demo.processes import wait_until
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.host.conftest import CONSUMER, MakeService
from tests.acceptance.host.environment import Environment
from tests.acceptance.host.service import SIGNALS, Service, badges_config
from tests.host.anomalies import BOTH_COURSES, ONE_COURSE, course, named

pytestmark = [pytest.mark.xdist_group("host"), pytest.mark.timeout(600)]
RECORDS = (
    "SELECT c.username, t.app_label, t.model, c.credential_id, c.status, c.uuid FROM credentials_usercredential c"
    " JOIN django_content_type t ON t.id = c.credential_content_type_id"
)
BADGES = (
    "SELECT b.status, b.uuid, b.external_id, b.state FROM badging_badge b JOIN core_user u ON u.id = b.user_id"
    " WHERE u.username = '{}' AND b.template_id = {}"
)
AWARDED, REVOKED = SIGNALS


@pytest.fixture
def make_online(make_service: MakeService, sandbox: RunningSandbox, redis_url: str) -> MakeService:
    """Makes a service that reaches the bus and the sandbox, with the database that is given."""

    def make(database: str, *environment: Environment) -> Service:
        return make_service(
            database,
            *environment,
            EVENT_BUS_REDIS_CONNECTION_URL=redis_url,
            EVENT_BUS_CONSUMER=CONSUMER,
            BADGES_CONFIG=badges_config(sandbox.badges_config()),
        )

    return make


def issued_at_credly(sandbox: RunningSandbox, email: str) -> str:
    """A badge that the built-in module has issued; gives its id there."""
    answer = requests.post(
        f"{sandbox.credly_api_url}organizations/{seed.ORGANIZATION_ID}/badges",
        json={
            "recipient_email": email,
            "issued_to_first_name": "Anna",
            "issued_to_last_name": "Lee",
            "badge_template_id": seed.template_id("python-basics"),
            "issued_at": "2025-03-02 09:41:00 -0500",
        },
        auth=(seed.ORGANIZATION_TOKEN, ""),
        timeout=30,
    )
    answer.raise_for_status()
    badge_id: str = answer.json()["data"]["id"]
    return badge_id


def at_credly(sandbox: RunningSandbox) -> dict[str, str]:
    """The state of each badge that Credly holds: the learner's address -> the state."""
    return {badge["recipient_email"]: badge["state"] for badge in sandbox.state()["credly"]["badges"]}


def record(service: Service, username: str, template: int) -> tuple[Any, ...] | None:
    """The host's record of a badge: kind, status, UUID."""
    found = [row[1:] for row in service.query(RECORDS) if row[0] == username and row[3] == str(template)]
    badges = [row for row in found if row[1] != "coursecertificate"]
    assert len(badges) < 2
    return badges[0] if badges else None


def test_an_adopted_learner_earns_a_badge_and_the_host_has_its_record(
    make_online: MakeService, adopted: str, sandbox: RunningSandbox
) -> None:
    """Kim had one of two groups from the built-in module, and passes the other course now."""
    service = make_online(adopted)
    with service.consumer() as consumer:
        service.produce("kim", course(2))
        wait_until(lambda: at_credly(sandbox).get("kim@example.com"), "Credly has the badge", alive=[consumer])
        wait_until(lambda: AWARDED in service.on_the_bus(), "the platform is told", alive=[consumer])
    [(status, badge_uuid, external, _)] = service.query(BADGES.format("kim", BOTH_COURSES))
    assert status == "awarded"
    assert external
    assert record(service, "kim", BOTH_COURSES) == ("badges", "credlybadgetemplate", "1", "awarded", badge_uuid)


def test_events_that_came_during_the_change_are_taken_in(
    make_online: MakeService, without: Environment, with_wheel: Environment, filled: str, sandbox: RunningSandbox
) -> None:
    """The group that the service's stock consumer had goes on where that stopped."""
    service = make_online(filled, without)
    service.configure(EVENT_BUS_CONSUMER=None)
    with service.consumer():
        assert service.on_the_bus() == []
    service.environment = with_wheel
    service.configure(EVENT_BUS_CONSUMER=CONSUMER)
    service.produce("kim", course(2))
    service.manage("migrate", "--verbosity", "0")
    service.manage("adopt_builtin_badges", "--apply")
    with service.consumer() as consumer:
        wait_until(lambda: "kim@example.com" in at_credly(sandbox), "Credly has the badge", alive=[consumer])
    assert record(service, "kim", BOTH_COURSES) is not None


def test_a_penalty_takes_an_adopted_badge_away_everywhere(
    make_online: MakeService, filled: str, sandbox: RunningSandbox
) -> None:
    """Anna's badge was issued by the built-in module years ago; she fails the course of group B now."""
    service = make_online(filled)
    external = issued_at_credly(sandbox, "anna@example.com")
    # As every database takes it, with a type for it and without.
    plain = external.replace("-", "")
    service.database.execute(f"UPDATE badges_credlybadge SET external_uuid = '{plain}' WHERE usercredential_ptr_id = 1")
    service.manage("migrate", "--verbosity", "0")
    service.manage("adopt_builtin_badges", "--apply")
    badge_uuid = service.query("SELECT uuid FROM credentials_usercredential WHERE id = 1")[0][0]
    with service.consumer() as consumer:
        service.produce("anna", course(2), is_passing=False)
        wait_until(lambda: at_credly(sandbox)["anna@example.com"] == "revoked", "Credly revoked it", alive=[consumer])
        wait_until(lambda: REVOKED in service.on_the_bus(), "the platform is told", alive=[consumer])
    assert service.query(BADGES.format("anna", BOTH_COURSES))[0][:3] == ("revoked", badge_uuid, external)
    assert record(service, "anna", BOTH_COURSES) == ("badges", "credlybadgetemplate", "1", "revoked", badge_uuid)
    certificate = [row for row in service.query(RECORDS) if row[2] == "coursecertificate"]
    assert [row[4] for row in certificate] == ["awarded"], "what is no badge is not ours"


def test_what_the_built_in_module_lost_is_issued_now(
    make_online: MakeService, adopted: str, sandbox: RunningSandbox
) -> None:
    service = make_online(adopted)
    lost = {f"{name}@example.com" for name in ("cora", "dora", "quin", "emil")}
    with service.consumer() as consumer:
        wait_until(lambda: lost <= set(at_credly(sandbox)), "Credly has what was lost", alive=[consumer])
        waiting = (
            "SELECT COUNT(*) FROM badging_delivery WHERE status IN ('pending', 'in_progress') AND action = 'issue'"
        )
        wait_until(lambda: service.query(waiting) == [("0",)], "nothing waits to be issued", alive=[consumer])
    assert set(at_credly(sandbox)) == lost, "what was issued before is not issued again"
    assert AWARDED not in service.on_the_bus(), "they were announced long ago"
    for name in ("cora", "dora", "quin", "emil"):
        assert service.query(BADGES.format(name, BOTH_COURSES))[0][2]


def test_a_replaced_username_does_not_part_a_learner_from_what_was_earned(
    make_online: MakeService, adopted: str, sandbox: RunningSandbox
) -> None:
    """The host's endpoint changes its users and its records, and knows nothing of badges."""
    service = make_online(adopted)
    for table in ("core_user", "credentials_usercredential"):
        service.database.execute(f"UPDATE {table} SET username = 'mona_now' WHERE username = 'mona'")
    lms_id = int(service.query("SELECT lms_user_id FROM core_user WHERE username = 'mona_now'")[0][0])
    with service.consumer() as consumer:
        service.produce("mona_now", course(1), user_id=lms_id)
        service.produce("mona_now", course(2), user_id=lms_id)
        wait_until(lambda: "mona@example.com" in at_credly(sandbox), "Credly has another badge", alive=[consumer])
    assert service.query("SELECT COUNT(*) FROM core_user WHERE username LIKE 'mona%'") == [("1",)]
    assert uuid.UUID(service.query(BADGES.format("mona_now", ONE_COURSE))[0][1]) == named("badge 16")
    assert record(service, "mona_now", BOTH_COURSES) is not None
