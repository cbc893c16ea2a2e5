"""The built-in module again: by the switch, and by uninstalling."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.acceptance.host.conftest import MakeService
from tests.acceptance.host.environment import make_environment
from tests.acceptance.host.service import HOSTS, Service
from tests.host.anomalies import BOTH_COURSES
from tests.host.builtin import BUILT_IN

pytestmark = [pytest.mark.xdist_group("host"), pytest.mark.timeout(600)]
AWARD = (
    "from badges.issuing.awards import award_all; from badges.models import *; from django.utils import timezone; "
    "from django.db import transaction; from django.contrib.auth import get_user_model; "
    "ben = get_user_model().objects.get(username='ben'); "
    "context = transaction.atomic(); context.__enter__(); "
    f"award_all({{(ben.pk, {BOTH_COURSES}): timezone.now()}}); context.__exit__(None, None, None); print('null')"
)


def test_the_whole_way_there_and_back(wheel: Path, make_service: MakeService, tmp_path: Path, filled: str) -> None:
    """Installed, adopted, a badge awarded, uninstalled: the built-in module finds its tables as they were."""
    environment = make_environment(tmp_path / "environment", wheel)
    service = make_service(filled, environment)
    before = service.database.dump(BUILT_IN)
    of_host = service.database.dump(HOSTS)

    environment.install()
    service.manage("migrate", "--verbosity", "0")
    service.manage("adopt_builtin_badges", "--apply")
    assert service.database.dump(HOSTS) == of_host, "they were right already"
    service.python(AWARD)
    assert service.database.dump(BUILT_IN) == before

    environment.uninstall()
    service.manage("check", "--database", "default", "--fail-level", "WARNING")
    assert "No planned migration operations" in service.manage("migrate", "--plan")
    assert has_built_in(service)
    assert service.database.dump(BUILT_IN) == before
    assert [(progress_there(service),)] == service.query("SELECT COUNT(*) FROM badges_badgeprogress")
    rows = service.query("SELECT username, status FROM credentials_usercredential WHERE username = 'ben'")
    assert rows == [("ben", "awarded")], "what was awarded meanwhile stays in the host's records"


def test_back_by_the_switch_and_here_again(make_service: MakeService, adopted: str) -> None:
    service = make_service(adopted)
    before = service.database.dump(BUILT_IN)
    service.configure(BADGES_REPLACE_BUILT_IN=False)
    service.manage("check")
    assert "No planned migration operations" in service.manage("migrate", "--plan")
    assert has_built_in(service)
    assert service.database.dump(BUILT_IN) == before

    service.configure(BADGES_REPLACE_BUILT_IN=None)
    service.manage("check")
    assert "No planned migration operations" in service.manage("migrate", "--plan")
    assert "nothing to adopt" in service.manage("adopt_builtin_badges")


def test_what_the_built_in_module_did_meanwhile_is_adopted_by_the_next_run(
    make_service: MakeService, adopted: str
) -> None:
    service = make_service(adopted)
    service.database.execute("INSERT INTO badges_badgeprogress (username, template_id) VALUES ('kim', 3)")
    service.database.execute(
        "INSERT INTO badges_fulfillment (progress_id, requirement_id, blend)"
        " SELECT MAX(id), 31, NULL FROM badges_badgeprogress"
    )
    service.manage("adopt_builtin_badges", "--apply")
    found = service.query(
        "SELECT COUNT(*) FROM badging_badgeprogress p JOIN core_user u ON u.id = p.user_id"
        " WHERE u.username = 'kim' AND p.template_id = 3"
    )
    assert found == [("1",)]


def has_built_in(service: Service) -> bool:
    """Whether the built-in module answers at its address."""
    with service.web() as url:
        answer = requests.post(f"{url}/badges/credly/webhook/", timeout=30)
    return answer.headers.get("X-Answered-By") == "badges.CredlyOrganization"


def progress_there(service: Service) -> str:
    """What the built-in module counts with its own models."""
    code = "from credentials.apps.badges.models import BadgeProgress as P; print(json.dumps(str(P.objects.count())))"
    number: str = service.python(code)
    return number
