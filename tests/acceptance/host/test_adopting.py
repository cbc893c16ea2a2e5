"""``adopt_builtin_badges`` on a database with every anomaly, as an operator runs it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from demo.sandbox import seed
from tests.acceptance.host.conftest import MakeService
from tests.acceptance.host.service import HOSTS, Service
from tests.host import anomalies
from tests.host.anomalies import BOTH_COURSES, EITHER_COURSE, GROUP, ONE_COURSE, OVERWRITTEN, WITHOUT_PROVIDER, named
from tests.host.builtin import BUILT_IN

pytestmark = [pytest.mark.xdist_group("host"), pytest.mark.timeout(600)]
OWN_TABLES = (
    "badging_provideraccount",
    "badging_badgetemplate",
    "badging_badgerequirement",
    "badging_datarule",
    "badging_badgepenalty",
    "badging_penaltydatarule",
    "badging_badgeprogress",
    "badging_fulfillment",
    "badging_badge",
    "badging_delivery",
    "badging_adoptedrow",
    "badging_configurationversion",
)
GROUP_COLUMN = {"sqlite": '"group"', "mysql": "`group`", "postgres": '"group"'}
BADGES = (
    "SELECT u.username, b.template_id, b.status, b.state, b.external_id FROM badging_badge b"
    " JOIN core_user u ON u.id = b.user_id"
)
DELIVERIES = (
    "SELECT u.username, d.action FROM badging_delivery d JOIN badging_badge b ON b.id = d.badge_id"
    " JOIN core_user u ON u.id = b.user_id WHERE d.status = '{}'"
)


@pytest.fixture
def service(make_service: MakeService, adopted: str) -> Service:
    """One in which everything was adopted."""
    return make_service(adopted)


def pairs(rows: Iterable[Sequence[Any]]) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in rows}


def test_a_plan_changes_nothing_and_says_what_would_be_done(make_service: MakeService, filled: str) -> None:
    service = make_service(filled)
    service.manage("migrate", "--verbosity", "0")
    before = service.database.dump((*OWN_TABLES, *BUILT_IN, *HOSTS))
    planned = service.run("adopt_builtin_badges")
    assert planned.returncode == 3
    assert "--apply carries it out" in planned.stderr
    assert service.database.dump((*OWN_TABLES, *BUILT_IN, *HOSTS)) == before
    applied = service.manage("adopt_builtin_badges", "--apply")
    assert counts(planned.stdout) == counts(applied), "a plan is what is done"


def counts(report: str) -> list[str]:
    """The table of a report."""
    return report.partition("Why:")[0].splitlines()


def test_adopting_again_changes_no_row(service: Service) -> None:
    before = service.database.dump((*OWN_TABLES, *HOSTS))
    assert "There is nothing to adopt" in service.manage("adopt_builtin_badges", "--apply")
    assert service.database.dump((*OWN_TABLES, *HOSTS)) == before


def test_the_tables_that_were_adopted_are_as_they_were(make_service: MakeService, adopted: str, filled: str) -> None:
    tables = (*BUILT_IN, *HOSTS)
    after = make_service(adopted).database.dump(tables)
    assert make_service(filled).database.dump(tables) == after


def test_keys_are_encrypted_here(service: Service) -> None:
    stored = [key for (key,) in service.query("SELECT api_key FROM badging_provideraccount")]
    keys = {seed.ORGANIZATION_TOKEN, seed.ACCREDIBLE_KEY, seed.LARGE_ACCREDIBLE_KEY}
    assert not [key for key in stored if any(clear in key for clear in keys)]
    code = (
        "from badges.models import ProviderAccount as A; "
        "print(json.dumps([[a.provider, a.external_id, str(a.api_key)] for a in A.objects.all()]))"
    )
    assert pairs(service.python(code)) == {
        ("credly", seed.ORGANIZATION_ID, seed.ORGANIZATION_TOKEN),
        ("credly", seed.LARGE_ORGANIZATION_ID, ""),
        ("accredible", None, seed.ACCREDIBLE_KEY),
        ("accredible", None, seed.LARGE_ACCREDIBLE_KEY),
    }


def test_templates_keep_their_ids_and_only_those_take_part_that_did(service: Service) -> None:
    rows = service.query("SELECT id, external_id FROM badging_badgetemplate WHERE is_active = (1 = 1)")
    assert {int(id_): external for id_, external in rows} == {
        BOTH_COURSES: seed.template_id("python-basics"),
        EITHER_COURSE: seed.template_id("data-science"),
        ONE_COURSE: seed.template_id("open-learner"),
        WITHOUT_PROVIDER: None,
        GROUP: str(GROUP),
    }
    assert service.query("SELECT COUNT(*) FROM badging_badgetemplate") == [("11",)]


def test_requirements_without_a_group_stay_alternatives(service: Service) -> None:
    groups = service.query(f"SELECT {GROUP_COLUMN[service.database.vendor]}, template_id FROM badging_badgerequirement")
    of = {int(template): {group for group, one in groups if one == template} for _, template in groups}
    assert of[BOTH_COURSES] == {"A", "B"}
    assert len(of[EITHER_COURSE]) == 1
    assert of[EITHER_COURSE] != {""}
    assert of[ONE_COURSE] == {""}


def test_every_badge_is_here_that_somebody_had(service: Service) -> None:
    """With the state that its provider gave it: none where that never heard of it."""
    external = {number: str(named(f"external {number}")) for number in range(1, 30)}
    assert pairs(service.query(BADGES)) == {
        ("anna", "1", "awarded", "accepted", external[1]),
        ("cleo", "1", "awarded", "accepted", external[2]),
        ("cora", "1", "awarded", "", ""),
        ("dora", "1", "awarded", "", ""),
        ("quin", "1", "awarded", "", ""),
        ("emil", "1", "awarded", "", ""),
        ("fay", "1", "revoked", "revoked", external[7]),
        ("gus", "1", "revoked", "", external[8]),
        ("ida", "1", "awarded", "accepted", external[10]),
        ("nia", "1", "awarded", "pending", external[11]),
        ("oli", "1", "awarded", "rejected", external[12]),
        ("uma", "1", "awarded", "expired", external[13]),
        ("lena", "2", "awarded", "accepted", external[15]),
        ("mona", "3", "awarded", "accepted", external[16]),
        ("pia", str(GROUP), "revoked", "expired", "70001"),
        ("sara", str(GROUP), "awarded", "accepted", "70002"),
        ("tom", str(OVERWRITTEN), "awarded", "", ""),
    }


def test_a_badge_has_the_uuid_and_the_times_of_the_hosts_record(service: Service) -> None:
    wrong = service.query(
        "SELECT COUNT(*) FROM badging_badge b LEFT JOIN credentials_usercredential c ON c.uuid = b.uuid"
        " WHERE c.id IS NULL OR c.created <> b.awarded_at OR c.status <> b.status"
        " OR (b.status = 'revoked' AND c.modified <> b.revoked_at)"
    )
    assert wrong == [("0",)]


def test_what_was_lost_on_the_way_to_a_provider_waits_to_be_sent(service: Service) -> None:
    assert pairs(service.query(DELIVERIES.format("pending"))) == {
        ("cora", "issue"),
        ("dora", "issue"),
        ("quin", "issue"),
        ("emil", "issue"),
        ("tom", "issue"),
        ("gus", "revoke"),
    }
    assert ("anna", "issue") in pairs(service.query(DELIVERIES.format("done")))


def test_progress_follows_the_learner_and_is_there_once(service: Service) -> None:
    rows = service.query(
        "SELECT u.username, r.id, f.is_fulfilled FROM badging_fulfillment f"
        " JOIN badging_badgeprogress p ON p.id = f.progress_id JOIN core_user u ON u.id = p.user_id"
        " JOIN badging_badgerequirement r ON r.id = f.requirement_id WHERE p.template_id = 1"
    )
    requirements = service.query(
        "SELECT target_id, source_id FROM badging_adoptedrow WHERE table_name = 'badges_badgerequirement'"
    )
    there = dict(pairs(requirements))
    fulfilled = {(username, there[requirement]) for username, requirement, _ in rows}
    assert {(name, one) for name, one in fulfilled if name in ("ben", "cleo", "cora", "ida", "kim")} == {
        ("ben", "11"),
        ("ben", "13"),
        ("cleo", "11"),
        ("cora", "12"),
        ("ida", "11"),
        ("kim", "11"),
    }
    assert len(rows) == len(fulfilled)


def test_a_requirement_that_rows_refer_to_keeps_its_penalty(service: Service) -> None:
    code = (
        "from badges.models import BadgePenalty as P; "
        "print(json.dumps([[p.template_id, [r.group for r in p.requirements.all()], "
        "sorted(str(rule) for rule in p.rules.all())] for p in P.objects.order_by('template_id')]))"
    )
    assert service.python(code) == [
        [BOTH_COURSES, ["B"], [f"course.course_key = {anomalies.course(2)}", "is_passing = false"]],
        [anomalies.PENALTY_WITHOUT_RULES, ["A"], []],
    ]


def test_premature_badges_are_listed_and_nothing_is_revoked(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "premature.csv"
    service.manage("adopt_builtin_badges", "--report", str(file))
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert {row["username"] for row in rows} == {"cleo", "cora", "ida"}
    assert all("group B" in row["missing"] for row in rows)
    assert file.stat().st_mode & 0o077 == 0


def test_every_row_that_cannot_be_adopted_is_counted_with_its_reason(service: Service) -> None:
    report = " ".join(service.manage("adopt_builtin_badges").split())
    for reason in (
        "no user has this username: renamed since, or deleted. The module did not follow (there: 25, 27)",
        "its template was deleted there (there: 28)",
        "its requirement was deleted there (there: 291)",
        "no user has this username: renamed since, or deleted. The module did not follow (there: 14)",
        "its template was deleted there (there: 18)",
        "a group with the same id has overwritten that (there: 17)",
    ):
        assert reason in report
    assert "example.com" not in report, "no address of a learner"
    assert not [name for name in anomalies.LEARNERS if f" {name} " in report]


def test_a_new_template_takes_no_id_that_the_built_in_module_has_given(service: Service) -> None:
    code = "from badges.models import BadgeTemplate as T; t = T.objects.create(name='New'); print(json.dumps(t.pk))"
    assert service.python(code) > OVERWRITTEN
