"""Progress, badges, deliveries and dead events: everything is seen, nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import get_deleted_objects
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from badges import models
from tests import factories
from tests.factories import PASSING, moment
from tests.integration.admin.pages import Staff, url

SCREENS: dict[str, Any] = {
    "badgeprogress": factories.FulfillmentFactory,
    "badge": factories.DeliveryFactory,
    "delivery": factories.DeliveryFactory,
    "deadevent": factories.DeadEventFactory,
}


def listed(response: Any) -> list[Any]:
    """The rows of a list page."""
    return list(response.context["cl"].result_list)


def content(response: Any) -> str:
    """The page's text."""
    assert response.status_code == 200
    return str(response.content.decode())


class TestAllScreens:
    def row(self, model: str) -> Any:
        made = SCREENS[model]()
        return {"badgeprogress": lambda: made.progress, "badge": lambda: made.badge}.get(model, lambda: made)()

    @pytest.mark.parametrize("model", SCREENS)
    def test_show_and_change_nothing(self, admin_client: Client, model: str) -> None:
        row = self.row(model)
        page = content(admin_client.get(url(model, row.pk, "change")))
        assert 'name="_save"' not in page
        assert admin_client.get(url(model, "add")).status_code == 403
        assert admin_client.post(url(model, row.pk, "change"), {}).status_code == 403
        assert admin_client.post(url(model, row.pk, "delete"), {"post": "yes"}).status_code == 403
        assert "delete_selected" not in content(admin_client.get(url(model)))

    @pytest.mark.parametrize("model", SCREENS)
    def test_are_for_those_who_may_view(self, staff: Staff, model: str) -> None:
        row = self.row(model)
        allowed, refused = staff(f"view_{model}"), staff()
        assert content(allowed.get(url(model)))
        assert content(allowed.get(url(model, row.pk, "change")))
        assert refused.get(url(model)).status_code == 403

    @pytest.mark.parametrize("model", SCREENS)
    def test_cost_the_same_for_one_row_and_for_many(
        self, admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, model: str
    ) -> None:
        SCREENS[model]()
        with django_assert_max_num_queries(20) as few:
            admin_client.get(url(model))
        SCREENS[model].create_batch(10)
        with django_assert_max_num_queries(len(few.captured_queries)):
            assert len(listed(admin_client.get(url(model)))) == 11

    def test_do_not_stand_in_the_way_of_deleting_a_learner(self, rf: RequestFactory, admin_user: Any) -> None:
        fulfillment = factories.FulfillmentFactory()
        factories.DeliveryFactory(badge__user=fulfillment.progress.user)
        request = rf.get("/admin/core/user/1/delete/")
        request.user = admin_user
        _, counts, permissions_lacking, protected = get_deleted_objects(
            [fulfillment.progress.user], request, admin.site
        )
        assert {"badges", "badge progress", "deliveries"} <= set(counts)
        assert (permissions_lacking, protected) == (set(), [])


class TestProgress:
    @pytest.fixture
    def half(self, db: None) -> models.BadgeProgress:
        """Group A fulfilled twice over, group B and a requirement without a group open."""
        template = factories.BadgeTemplateFactory(name="Python")
        first, second = factories.RequirementFactory.create_batch(2, template=template, group="A")
        open_one = factories.RequirementFactory(template=template, group="B")
        factories.RequirementFactory(template=template, group="", description="Alone")
        progress: models.BadgeProgress = factories.BadgeProgressFactory(template=template, user__username="half")
        for requirement in (first, second):
            factories.FulfillmentFactory(progress=progress, requirement=requirement)
        factories.FulfillmentFactory(progress=progress, requirement=open_one, is_fulfilled=False)
        return progress

    @pytest.fixture
    def whole(self, db: None) -> models.BadgeProgress:
        progress: models.BadgeProgress = factories.FulfillmentFactory(progress__user__username="whole").progress
        return progress

    def test_completion_is_counted_in_groups_row_by_row(
        self, admin_client: Client, half: models.BadgeProgress, whole: models.BadgeProgress
    ) -> None:
        other = factories.BadgeProgressFactory(template=half.template)
        page = admin_client.get(url("badgeprogress"))
        counted = {row.pk: (row.fulfilled_count, row.group_count, row.complete) for row in listed(page)}
        assert counted == {half.pk: (1, 3, False), whole.pk: (1, 1, True), other.pk: (0, 3, False)}
        assert "1 of 3 (33 %)" in content(page)
        assert "1 of 1 (100 %)" in content(page)

    def test_the_count_agrees_with_the_record(self, half: models.BadgeProgress, whole: models.BadgeProgress) -> None:
        rows: Any = models.BadgeProgress.objects.with_completion()
        for row in rows:
            assert row.ratio == row.fulfilled_count / row.group_count
            assert row.is_complete == row.complete

    def test_a_template_without_requirements_is_not_complete(self, admin_client: Client) -> None:
        factories.BadgeProgressFactory()
        assert "0 of 0 (0 %)" in content(admin_client.get(url("badgeprogress")))
        assert listed(admin_client.get(url("badgeprogress"), {"complete": "yes"})) == []

    def test_filters(self, admin_client: Client, half: models.BadgeProgress, whole: models.BadgeProgress) -> None:
        credly = factories.BadgeProgressFactory(template=factories.CredlyBadgeTemplateFactory(is_active=False))
        for query, expected in (
            ({"complete": "yes"}, [whole]),
            ({"complete": "no"}, [credly, half]),
            ({"template": half.template_id}, [half]),
            ({"template": "nonsense"}, []),
            ({"provider_slug": "credly"}, [credly]),
            ({"provider_slug": "openedx"}, [whole, half]),
            ({"template__is_active__exact": 0}, [credly]),
        ):
            assert listed(admin_client.get(url("badgeprogress"), query)) == expected, query

    def test_search(self, admin_client: Client, half: models.BadgeProgress, whole: models.BadgeProgress) -> None:
        for term in ("half", "half@example.com", "Python"):
            assert listed(admin_client.get(url("badgeprogress"), {"q": term})) == [half]

    def test_the_filter_by_template_stays_short(self, admin_client: Client) -> None:
        factories.BadgeProgressFactory.create_batch(60)
        last = factories.BadgeProgressFactory(template__name="zzz").template
        page = admin_client.get(url("badgeprogress"), {"template": last.pk})
        (template_filter,) = [spec for spec in page.context["cl"].filter_specs if spec.title == "badge template"]
        assert len(template_filter.lookup_choices) == 51
        assert template_filter.lookup_choices[-1] == (str(last.pk), "zzz")

    def test_the_page_tells_where_each_fulfilment_comes_from(self, admin_client: Client) -> None:
        fulfillment = factories.FulfillmentFactory(
            requirement__description="Pass", requirement__group="A", evidence={"course.course_key": "course-v1:x+y+z"}
        )
        page = content(admin_client.get(url("badgeprogress", fulfillment.progress_id, "change")))
        for text in ("Pass", PASSING, str(fulfillment.event_id), "course-v1:x+y+z", "A: fulfilled", "1 of 1 (100 %)"):
            assert text in page

    def test_the_page_names_open_groups(self, admin_client: Client, half: models.BadgeProgress) -> None:
        page = content(admin_client.get(url("badgeprogress", half.pk, "change")))
        for text in ("A: fulfilled", "B: open", "Alone: open"):
            assert text in page


class TestBadges:
    def test_each_list_shows_its_own_provider(self, admin_client: Client) -> None:
        credly = factories.BadgeFactory(template=factories.CredlyBadgeTemplateFactory())
        accredible = factories.BadgeFactory(template=factories.AccredibleGroupFactory())
        own = factories.BadgeFactory()
        for model, expected in (
            ("badge", [own.pk, accredible.pk, credly.pk]),
            ("credlybadge", [credly.pk]),
            ("accrediblebadge", [accredible.pk]),
        ):
            assert [badge.pk for badge in listed(admin_client.get(url(model)))] == expected

    def test_lead_to_the_page_at_the_provider(self, admin_client: Client) -> None:
        badge = factories.BadgeFactory(url="https://www.credly.com/badges/1", state="pending")
        for address in (url("badge"), url("badge", badge.pk, "change")):
            page = content(admin_client.get(address))
            assert 'href="https://www.credly.com/badges/1"' in page
            assert "pending" in page

    def test_an_address_with_another_scheme_is_no_link(self, admin_client: Client) -> None:
        badge = factories.BadgeFactory(url="javascript:alert(1)")
        assert "javascript:alert" not in content(admin_client.get(url("badge", badge.pk, "change")))

    def test_show_their_deliveries(self, admin_client: Client) -> None:
        delivery = factories.DeliveryFactory(last_error="Credly answered 503.")
        page = content(admin_client.get(url("badge", delivery.badge_id, "change")))
        assert "Credly answered 503." in page
        assert url("delivery", delivery.pk, "change") in page

    def test_search(self, admin_client: Client) -> None:
        badge = factories.BadgeFactory(external_id="abc", user__username="anna", template__name="Python")
        factories.BadgeFactory()
        for term in ("abc", "anna", "Python"):
            assert listed(admin_client.get(url("badge"), {"q": term})) == [badge]


class TestDeliveries:
    def test_show_every_attempt(self, admin_client: Client) -> None:
        delivery = factories.DeliveryFactory()
        models.DeliveryAttempt.objects.create(
            delivery=delivery,
            number=1,
            started_at=moment(0),
            duration_ms=123,
            outcome="retry",
            status_code=503,
            detail="Down.",
        )
        page = content(admin_client.get(url("delivery", delivery.pk, "change")))
        for text in ("123", "to be retried", "503", "Down."):
            assert text in page

    def test_filters_and_search(self, admin_client: Client) -> None:
        dead = factories.DeliveryFactory(status="dead", badge__user__username="anna", badge__external_id="abc")
        issued = factories.DeliveryFactory(badge__template=factories.CredlyBadgeTemplateFactory())
        for query, expected in (
            ({"status__exact": "dead"}, [dead]),
            ({"provider_slug": "credly"}, [issued]),
            ({"q": "anna"}, [dead]),
            ({"q": "abc"}, [dead]),
            ({"q": issued.badge.template.name}, [issued]),
        ):
            assert listed(admin_client.get(url("delivery"), query)) == expected, query
