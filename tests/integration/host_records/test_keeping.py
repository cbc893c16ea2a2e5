"""Each badge has its record in the host, in step with it and in the same transaction."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from badges.data import IssuedBadge, ListedBadge
from badges.host import records as host_records
from badges.issuing import adoption, awards, records
from badges.models import Badge, BadgeTemplate, Delivery
from tests.factories import (
    COURSE,
    AccredibleGroupFactory,
    BadgeFactory,
    BadgeKitTemplateFactory,
    BadgeTemplateFactory,
    CredlyBadgeTemplateFactory,
    UserFactory,
    moment,
)
from tests.host.builtin import model
from tests.integration.host_records.conftest import record, type_id
from tests.integration.processing.helpers import fails, passes, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("host_tables", "keeper")]


def award(user: Any, *templates: Any) -> list[Badge]:
    return awards.award(user, {template.pk: moment(60) for template in templates})


def undone(template: Any, *users: Any) -> None:
    """Award badges, and lose the transaction."""
    with transaction.atomic():
        awards.award_all({(user.pk, template.pk): moment(60) for user in users})
        assert model("credentials.UserCredential").objects.exists()
        transaction.set_rollback(True)


def states(credentials: Any) -> list[tuple[str, str, uuid.UUID]]:
    return list(credentials.values_list("username", "status", "uuid"))


class TestAnAward:
    @pytest.mark.parametrize(
        ("factory", "name"),
        [
            (CredlyBadgeTemplateFactory, "credlybadgetemplate"),
            (AccredibleGroupFactory, "accrediblegroup"),
            # The host has no model of such a name once the built-in module is back.
            (BadgeKitTemplateFactory, "badgetemplate"),
            (BadgeTemplateFactory, "badgetemplate"),
        ],
    )
    def test_makes_a_record_that_names_learner_and_template_as_the_host_does(self, credentials, factory, name):
        template = factory()

        [badge] = award(UserFactory(username="anna"), template)

        [row] = credentials
        assert (row.username, row.status, row.uuid) == ("anna", "awarded", badge.uuid)
        assert (row.credential_content_type_id, row.credential_id) == (type_id(name), template.pk)
        assert row.created == badge.awarded_at
        assert abs((timezone.now() - row.modified).total_seconds()) < 60

    def test_of_a_plugged_in_provider_is_one_of_a_template(self, credentials):
        template = BadgeTemplateFactory(provider="acme")

        award(UserFactory(), template)

        assert credentials.get().credential_content_type_id == type_id("badgetemplate")

    def test_takes_over_the_record_that_is_in_its_place(self, credentials):
        template = CredlyBadgeTemplateFactory()
        kind = type_id("credlybadgetemplate")
        former = record(credentials, "anna", template, credential_content_type_id=kind, status="revoked")
        untouched = record(credentials, "anna", template)

        [badge] = award(UserFactory(username="anna"), template)

        assert credentials.get(pk=former.pk).created == former.created
        assert states(credentials) == [("anna", "awarded", badge.uuid), ("anna", "awarded", untouched.uuid)]

    @pytest.mark.skipif(connection.vendor != "mysql", reason="Only MySQL takes two spellings for one name.")
    def test_takes_it_over_where_the_database_takes_two_names_for_one(self, credentials):
        template = BadgeTemplateFactory()
        record(credentials, "Anna", template)

        [badge] = award(UserFactory(username="anna"), template)

        assert states(credentials) == [("Anna", "awarded", badge.uuid)]

    def test_leaves_records_of_the_same_learner_and_others_templates_alone(self, credentials):
        mine, other = BadgeTemplateFactory(), BadgeTemplateFactory()
        kept = record(credentials, "anna", other)
        anna, bert = UserFactory(username="anna"), UserFactory(username="bert")

        made = awards.award_all({(anna.pk, mine.pk): moment(0), (bert.pk, other.pk): moment(0)})

        by_pk = Badge.objects.in_bulk(made.values())
        assert sorted(states(credentials)) == sorted(
            [
                ("anna", "awarded", kept.uuid),
                ("anna", "awarded", by_pk[made[anna.pk, mine.pk]].uuid),
                ("bert", "awarded", by_pk[made[bert.pk, other.pk]].uuid),
            ]
        )

    @pytest.mark.parametrize("number", [1, 200])
    def test_of_many_badges_costs_two_statements(self, django_assert_num_queries, keeper, number):
        template = BadgeTemplateFactory()
        made = awards.award_all({(UserFactory().pk, template.pk): moment(0) for _ in range(number)})
        badges = list(Badge.objects.filter(pk__in=made.values()).select_related("user", "template").order_by("pk"))
        keeper._rows.all().delete()

        with django_assert_num_queries(2):
            keeper.awarded(badges)

        assert keeper._rows.count() == number

    def test_makes_the_type_that_is_not_there_and_remembers_it_only_once_it_is(
        self, without_type_of_templates, credentials
    ):
        user, template = UserFactory(), BadgeTemplateFactory()
        # Of two badges, and twice: the second one of each finds the type that the first one has made.
        undone(template, user, UserFactory())
        undone(template, user)
        undone(template, user)

        award(user, template)

        assert credentials.get().credential_content_type_id == type_id("badgetemplate")

    def test_of_several_templates_costs_no_more_where_their_learners_have_others_of_them(
        self, django_assert_num_queries, keeper
    ):
        one, other = BadgeTemplateFactory(), BadgeTemplateFactory()
        had = {(UserFactory().pk, template.pk): moment(0) for template in (one, other) for _ in range(10)}
        awards.award_all(had)
        now = {(user, other.pk if template == one.pk else one.pk): moment(9) for user, template in had}
        made = awards.award_all(now)
        badges = list(Badge.objects.filter(pk__in=made.values()).select_related("user", "template").order_by("pk"))
        keeper._rows.filter(uuid__in=[badge.uuid for badge in badges]).delete()

        with django_assert_num_queries(2):
            keeper.awarded(badges)

        assert keeper._rows.count() == 40


class TestARevocation:
    def test_is_in_the_record_which_is_found_by_what_the_host_does_not_replace(self, credentials):
        template = BadgeTemplateFactory()
        [badge] = award(UserFactory(username="anna"), template)
        # As the host does, of which badge.user knows nothing yet.
        credentials.update(username="retired__anna")

        awards.revoke([badge], moment(90))

        assert states(credentials) == [("retired__anna", "revoked", badge.uuid)]

    def test_makes_the_record_that_is_not_there(self, credentials):
        [badge] = award(UserFactory(username="anna"), BadgeTemplateFactory())
        credentials.delete()

        awards.revoke([badge], moment(90))

        assert states(credentials) == [("anna", "revoked", badge.uuid)]

    def test_of_many_badges_costs_three_statements(self, django_assert_num_queries, keeper):
        template = BadgeTemplateFactory()
        made = awards.award_all({(UserFactory().pk, template.pk): moment(0) for _ in range(50)})
        badges = list(Badge.objects.filter(pk__in=made.values()).select_related("user", "template").order_by("pk"))
        for badge in badges:
            badge.status = Badge.Status.REVOKED

        with django_assert_num_queries(3), CaptureQueriesContext(connection) as queries:
            keeper.revoked(badges)

        assert keeper._rows.filter(status="revoked").count() == 50
        if connection.features.has_select_for_update:
            assert ["FOR UPDATE" in query["sql"] for query in queries.captured_queries] == [False, True, False]

    def test_leaves_a_certificate_alone_that_bears_the_badges_identifier(self, credentials, caplog):
        [badge] = award(UserFactory(username="anna"), BadgeTemplateFactory())
        credentials.delete()
        site = ContentType.objects.get_by_natural_key("sites", "site")
        record(credentials, "bert", badge.template, uuid=badge.uuid, credential_content_type_id=site.pk)

        # It takes a provider's word for the identifier to come to this. The badge is lost all the same.
        with caplog.at_level(logging.ERROR):
            awards.revoke([badge], moment(90))

        assert states(credentials) == [("bert", "awarded", badge.uuid)]
        assert not Badge.objects.get().is_awarded
        assert caplog.messages == [f"Badge {badge.uuid} has no record in the host: another credential bears its UUID."]


class TestEveryWayToABadge:
    def test_events(self, credentials):
        template = BadgeTemplateFactory()
        fails(template, passes(template, COURSE, "A"))

        send("anna", at=0)
        [badge] = Badge.objects.all()
        assert states(credentials) == [("anna", "awarded", badge.uuid)]

        send("anna", at=1, is_passing=False)
        assert states(credentials) == [("anna", "revoked", badge.uuid)]

        # For good, as the badge.
        send("anna", at=2)
        assert states(credentials) == [("anna", "revoked", badge.uuid)]

    def test_one_that_the_provider_has_issued(self, credentials):
        template, user, own = CredlyBadgeTemplateFactory(), UserFactory(username="anna"), uuid.uuid4()
        kind = type_id("credlybadgetemplate")
        # The built-in module had it issued: its record, not adopted yet, bears the identifier that Credly knows.
        record(credentials, "anna", template, credential_content_type_id=kind, uuid=own)

        badge = adoption.adopt(template, user, listed(template, own), "It was issued there.")

        assert badge is not None
        assert states(credentials) == [("anna", "awarded", own)]
        adoption.revoke_as_there(badge, timezone.now(), "It was taken away there.")
        assert states(credentials) == [("anna", "revoked", own)]

    @pytest.mark.parametrize("kind", ["credlybadgetemplate", "site"])
    def test_none_by_an_identifier_that_is_of_another_ones_credential(self, credentials, kind):
        template, own = CredlyBadgeTemplateFactory(), uuid.uuid4()
        label = "sites" if kind == "site" else "badges"
        content_type = ContentType.objects.get_by_natural_key(label, kind)
        record(credentials, "bert", template, credential_content_type_id=content_type.pk, uuid=own)

        badge = adoption.adopt(template, UserFactory(username="anna"), listed(template, own), "It was issued there.")

        assert badge is None
        assert not Badge.objects.exists()
        assert states(credentials) == [("bert", "awarded", own)]


def listed(template: BadgeTemplate, own: uuid.UUID) -> ListedBadge:
    held = IssuedBadge(external_id="at-credly", state="accepted")
    return ListedBadge(badge=held, template_external_id=template.external_id or "", own_id=str(own))


class TestInOneTransaction:
    def test_what_is_undone_leaves_no_record(self, credentials):
        undone(BadgeTemplateFactory(), UserFactory())

        assert not credentials.exists()

    def test_a_record_that_cannot_be_written_undoes_the_badge(self, monkeypatch, credentials):
        def fails_here(*args: Any) -> None:
            raise IntegrityError("the host's table is full")

        monkeypatch.setattr(host_records, "insert", fails_here)
        user, template = UserFactory(), BadgeTemplateFactory()

        with pytest.raises(IntegrityError), transaction.atomic():
            award(user, template)

        assert not Badge.objects.exists()
        assert not Delivery.objects.exists()

    def test_it_is_locked_after_the_badge_and_its_deliveries(self):
        template = CredlyBadgeTemplateFactory()
        fails(template, passes(template, COURSE, "A"))
        for at, is_passing in enumerate((True, False)):
            with CaptureQueriesContext(connection) as queries:
                send("anna", at=at, is_passing=is_passing)
            tables = [
                sql.partition("badging_delivery")[1] or sql.partition("credentials_user")[1] for sql in writes(queries)
            ]
            assert tables[-1] == "credentials_user"
            assert tables.index("credentials_user") > tables.index("badging_delivery")


def writes(queries: CaptureQueriesContext) -> list[str]:
    """The statements that write, up to the last one on the host's table."""
    sql = [query["sql"] for query in queries.captured_queries if query["sql"].startswith(("INSERT", "UPDATE"))]
    last = max(place for place, one in enumerate(sql) if "credentials_usercredential" in one)
    return sql[: last + 1]


class TestWhatIsDeleted:
    def test_the_record_of_a_learner_who_is_deleted_stays_the_hosts(self, credentials):
        user = UserFactory(username="anna")
        [badge] = award(user, BadgeTemplateFactory())

        user.delete()

        assert not Badge.objects.exists()
        assert states(credentials) == [("anna", "awarded", badge.uuid)]


def test_the_host_has_its_keeper_once(monkeypatch, credentials):
    monkeypatch.setattr(host_records, "_keeper", None)
    monkeypatch.setattr(host_records, "user_credential", lambda: credentials.model)
    before = list(records._keepers)

    host_records.keep_for_host()
    host_records.keep_for_host()

    [keeper] = [one for one in records._keepers if one not in before]
    records.unregister(keeper)
    BadgeFactory()
    assert host_records.complete_records(apply=False) == 1


def test_a_project_that_is_not_the_host_keeps_none(credentials):
    before = list(records._keepers)

    host_records.keep_for_host()

    assert records._keepers == before
    assert host_records.complete_records(apply=True) == 0
