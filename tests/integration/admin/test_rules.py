"""Requirements, penalties and their rules: only what an event of the chosen type can have gets in."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from badges import models
from tests import factories
from tests.factories import CCX_PASSING, COURSE, PASSING
from tests.integration.admin.pages import Staff, act, errors, messages, row, submit, url
from tests.integration.fake_provider import config

ENROLLED = "org.openedx.learning.course.enrollment.created.v1"


@pytest.fixture
def template() -> models.BadgeTemplate:
    return factories.BadgeTemplateFactory(is_active=False)


def add(client: Client, template: models.BadgeTemplate, *rules: tuple[str, str, str], **values: Any) -> Any:
    """Add a requirement with rules in one save."""
    rows: dict[str, Any] = {}
    for index, (path, operator, value) in enumerate(rules):
        rows.update(row("rules", index, data_path=path, operator=operator, value=value))
    values = {"template": template.pk, "event_type": PASSING, **values}
    return submit(client, url("badgerequirement", "add"), **values, **rows)


def choices(response: Any) -> Any:
    """The key paths that a new rule's select offers."""
    return response.context["inline_admin_formsets"][0].formset.empty_form.fields["data_path"].widget.choices


class TestRules:
    def test_are_saved_with_their_new_requirement(self, admin_client: Client, template: models.BadgeTemplate) -> None:
        add(admin_client, template, ("is_passing", "eq", "yes"), ("course.course_key", "ne", COURSE), group="A")
        requirement = models.BadgeRequirement.objects.get()
        assert (requirement.event_type, requirement.group) == (PASSING, "A")
        assert [str(rule) for rule in requirement.rules.order_by("pk")] == [
            "is_passing = yes",
            f"course.course_key ≠ {COURSE}",
        ]

    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            (("is_passing", "eq", "perhaps"), '"perhaps" is not a yes/no value. Example: true'),
            (("course.course_key", "eq", "DemoX"), '"DemoX" is not a CourseKey'),
            (("course.color", "eq", "red"), 'has no "course.color"'),
            (("course", "eq", "red"), '"course" holds several values'),
            (("user.pii.email", "eq", "a@b.c"), 'keeps "user.pii.email" out of rules'),
        ],
    )
    def test_that_a_new_requirements_event_cannot_have_are_refused(
        self, admin_client: Client, template: models.BadgeTemplate, rule: tuple[str, str, str], reason: str
    ) -> None:
        page = add(admin_client, template, rule)
        assert reason in errors(page)
        assert errors(page).count(reason) == 1
        assert not models.BadgeRequirement.objects.exists()

    def test_that_a_stored_requirements_event_cannot_have_are_refused(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template)
        values = row("rules", 0, data_path="is_passing", operator="eq", value="perhaps")
        page = submit(admin_client, url("badgerequirement", requirement.pk, "change"), **values)
        assert errors(page).count('"perhaps" is not a yes/no value') == 1

    def test_are_checked_again_when_the_event_type_changes(
        self, admin_client: Client, template: models.BadgeTemplate, settings: Settings
    ) -> None:
        settings.BADGES_CONFIG = config(events=[PASSING, ENROLLED])
        requirement = factories.RequirementFactory(template=template, rules=[("is_passing", "eq", "true")])
        page = submit(admin_client, url("badgerequirement", requirement.pk, "change"), event_type=ENROLLED)
        assert f'An event of type {ENROLLED} has no "is_passing"' in errors(page)
        requirement.refresh_from_db()
        assert requirement.event_type == PASSING

    def test_can_change_together_with_the_event_type(
        self, admin_client: Client, template: models.BadgeTemplate, settings: Settings
    ) -> None:
        settings.BADGES_CONFIG = config(events=[PASSING, ENROLLED])
        requirement = factories.RequirementFactory(template=template, rules=[("is_passing", "eq", "true")])
        submit(
            admin_client,
            url("badgerequirement", requirement.pk, "change"),
            event_type=ENROLLED,
            rules__0__data_path="mode",
            rules__0__value="verified",
        )
        assert str(requirement.rules.get()) == "mode = verified"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (("is_passing", "eq", "true"), ("is_passing", "eq", "true")),
            (("is_passing", "eq", "true"), ("is_passing", "eq", "Yes")),
            (("course.course_key", "ne", COURSE), ("course.course_key", "ne", COURSE)),
            (("course.course_key", "ne", COURSE), ("course.course_key", "ne", COURSE.replace("DemoX", "DEMOX"))),
        ],
    )
    def test_that_say_the_same_are_refused(
        self, admin_client: Client, template: models.BadgeTemplate, first: Any, second: Any
    ) -> None:
        page = add(admin_client, template, first, second)
        assert "This rule is there already." in errors(page) or "Please correct the duplicate" in errors(page)
        assert not models.BadgeRequirement.objects.exists()

    @pytest.mark.parametrize(
        ("rules", "reason"),
        [
            ([("is_passing", "eq", "true"), ("is_passing", "eq", "false")], '"is_passing" cannot have two values'),
            ([("is_passing", "eq", "true"), ("is_passing", "ne", "yes")], "so they never match"),
            ([("is_passing", "ne", "yes"), ("is_passing", "eq", "true")], "so they never match"),
        ],
    )
    def test_that_contradict_each_other_are_refused(
        self, admin_client: Client, template: models.BadgeTemplate, rules: Any, reason: str
    ) -> None:
        assert reason in errors(add(admin_client, template, *rules))
        assert not models.BadgeRequirement.objects.exists()

    def test_that_were_contradicted_by_a_deleted_one_are_saved(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template, rules=[("is_passing", "eq", "true")])
        submit(
            admin_client,
            url("badgerequirement", requirement.pk, "change"),
            rules__0__DELETE="on",
            **row("rules", 1, data_path="is_passing", operator="eq", value="false"),
        )
        assert str(requirement.rules.get()) == "is_passing = false"

    def test_without_an_event_type_wait_for_it(self, admin_client: Client, template: models.BadgeTemplate) -> None:
        page = add(admin_client, template, ("is_passing", "eq", "true"), event_type="")
        assert "This field is required" in errors(page)
        assert not models.BadgeRequirement.objects.exists()

    def test_are_seen_by_whoever_may_only_view(self, staff: Staff, template: models.BadgeTemplate) -> None:
        requirement = factories.RequirementFactory(template=template, rules=[("is_passing", "eq", "true")])
        client = staff("view_badgerequirement", "view_datarule")
        page = client.get(url("badgerequirement", requirement.pk, "change"))
        assert "is_passing = true" in page.content.decode()

    def test_of_a_penalty_are_checked_alike(self, admin_client: Client, template: models.BadgeTemplate) -> None:
        values = row("rules", 0, data_path="is_passing", operator="eq", value="perhaps")
        page = submit(admin_client, url("badgepenalty", "add"), template=template.pk, event_type=PASSING, **values)
        assert '"perhaps" is not a yes/no value' in errors(page)

    def test_with_a_stored_path_that_is_ignored_now_can_stay(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template, rules=[("user.pii.name", "eq", "Anna")])
        submit(admin_client, url("badgerequirement", requirement.pk, "change"), description="Kept")
        requirement.refresh_from_db()
        assert requirement.description == "Kept"


class TestChoices:
    def test_are_the_key_paths_of_the_event_without_the_ignored_ones(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template)
        page = admin_client.get(url("badgerequirement", requirement.pk, "change"))
        assert [value for value, label in choices(page)] == ["", "is_passing", "course.course_key"]

    def test_are_grouped_by_event_type_while_none_is_chosen(self, admin_client: Client) -> None:
        page = admin_client.get(url("badgerequirement", "add"))
        assert [group for group, paths in choices(page)][1:] == [PASSING, CCX_PASSING]

    def test_keep_a_stored_path_that_the_event_has_not(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template, rules=[("course.color", "eq", "red")])
        page = admin_client.get(url("badgerequirement", requirement.pk, "change"))
        assert '<option value="course.color" selected>' in page.content.decode()

    def test_of_every_event_go_to_the_script_with_what_to_enter(self, admin_client: Client) -> None:
        content = admin_client.get(url("badgerequirement", "add")).content.decode()
        found = re.search(r'<script id="badges-key-paths" type="application/json">(.*?)</script>', content)
        assert found
        assert json.loads(found[1])[PASSING] == [
            {"path": "is_passing", "hint": "A yes/no value, for example: true"},
            {"path": "course.course_key", "hint": "A CourseKey, for example: course-v1:edX+DemoX+2026"},
        ]

    def test_say_what_to_enter_without_the_script_too(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template, rules=[("is_passing", "eq", "true")])
        page = admin_client.get(url("badgerequirement", requirement.pk, "change"))
        hint = (
            '<div class="badges-hint" id="id_rules-0-value_hint" aria-live="polite">A yes/no value, for example: true<'
        )
        assert hint in page.content.decode()


class TestEventType:
    def options(self, response: Any) -> list[tuple[str, str]]:
        return list(response.context["adminform"].form.fields["event_type"].choices)[1:]

    def test_is_chosen_among_the_configured_ones(self, admin_client: Client, settings: Settings) -> None:
        settings.BADGES_CONFIG = config(events=[ENROLLED])
        assert self.options(admin_client.get(url("badgerequirement", "add"))) == [(ENROLLED, ENROLLED)]

    def test_that_is_not_configured_is_refused(self, admin_client: Client, template: models.BadgeTemplate) -> None:
        assert "Select a valid choice" in errors(add(admin_client, template, event_type=ENROLLED))

    def test_that_is_not_configured_any_more_stays_and_is_marked(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template, event_type=ENROLLED)
        page = admin_client.get(url("badgerequirement", requirement.pk, "change"))
        assert self.options(page)[-1] == (ENROLLED, f"{ENROLLED} (not configured any more)")
        submit(admin_client, url("badgerequirement", requirement.pk, "change"), description="Kept")
        requirement.refresh_from_db()
        assert (requirement.event_type, requirement.description) == (ENROLLED, "Kept")

    def test_that_openedx_events_does_not_know_is_refused_with_the_reason(
        self, admin_client: Client, template: models.BadgeTemplate, settings: Settings
    ) -> None:
        settings.BADGES_CONFIG = config(events=["org.openedx.unknown.v1"])
        page = add(admin_client, template, event_type="org.openedx.unknown.v1")
        assert 'openedx-events knows no event type "org.openedx.unknown.v1"' in errors(page)


class TestRequirement:
    def test_keeps_its_template(self, admin_client: Client, template: models.BadgeTemplate) -> None:
        requirement = factories.RequirementFactory(template=template)
        other = factories.BadgeTemplateFactory()
        submit(admin_client, url("badgerequirement", requirement.pk, "change"), template=other.pk)
        requirement.refresh_from_db()
        assert requirement.template_id == template.pk

    def test_suggests_the_groups_of_its_template(self, admin_client: Client, template: models.BadgeTemplate) -> None:
        requirement = factories.RequirementFactory(template=template, group="Exams")
        for address in (
            url("badgerequirement", requirement.pk, "change"),
            url("badgetemplate", template.pk, "change"),
        ):
            content = admin_client.get(address).content.decode()
            assert 'list="badges-groups"' in content
            for group in ("A", "B", "C", "Exams"):
                assert f'<option value="{group}"></option>' in content

    def test_the_last_one_of_an_active_template_cannot_be_deleted(self, admin_client: Client) -> None:
        requirement = factories.RequirementFactory(template__name="Python")
        page = admin_client.post(url("badgerequirement", requirement.pk, "delete"), {"post": "yes"})
        assert 'The badge template "Python" cannot be active without a requirement' in messages(page)[0]
        assert models.BadgeRequirement.objects.exists()

    def test_all_of_an_active_template_cannot_be_deleted_at_once(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        first = factories.RequirementFactory()
        second = factories.RequirementFactory(template=first.template)
        of_inactive = factories.RequirementFactory(template=template)
        act(admin_client, "badgerequirement", "delete_selected", first, second, of_inactive, post="yes")
        assert models.BadgeRequirement.objects.count() == 3
        act(admin_client, "badgerequirement", "delete_selected", first, of_inactive, post="yes")
        assert list(models.BadgeRequirement.objects.all()) == [second]

    def test_without_rules_warns_on_an_active_template(self, admin_client: Client) -> None:
        requirement = factories.RequirementFactory(description="Pass")
        page = submit(admin_client, url("badgerequirement", requirement.pk, "change"))
        assert any('"Pass" has no rules' in text for text in messages(page))


class TestPenalty:
    def test_is_added_first_and_then_gets_its_requirements(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=template)
        factories.RequirementFactory()
        page = submit(admin_client, url("badgepenalty", "add"), template=template.pk, event_type=PASSING)
        penalty = models.BadgePenalty.objects.get()
        assert page.redirect_chain == [(url("badgepenalty", penalty.pk, "change"), 302)]
        assert list(page.context["adminform"].form.fields["requirements"].queryset) == [requirement]
        submit(admin_client, url("badgepenalty", penalty.pk, "change"), requirements=[requirement.pk])
        assert list(penalty.requirements.all()) == [requirement]

    def test_refuses_requirements_of_another_template(
        self, admin_client: Client, template: models.BadgeTemplate
    ) -> None:
        ours, foreign = factories.RequirementFactory(template=template), factories.RequirementFactory()
        penalty = factories.PenaltyFactory(template=template, resets=[ours])
        page = submit(admin_client, url("badgepenalty", penalty.pk, "change"), requirements=[foreign.pk])
        assert "A penalty resets requirements of its own badge template only." in errors(page)
        assert list(penalty.requirements.all()) == [ours]

    def test_of_somebody_who_may_only_add_leads_to_the_list(self, staff: Staff, template: models.BadgeTemplate) -> None:
        client = staff("add_badgepenalty", "view_badgepenalty", "view_badgetemplate")
        page = submit(client, url("badgepenalty", "add"), template=template.pk, event_type=PASSING)
        assert page.redirect_chain == [(url("badgepenalty"), 302)]


@pytest.mark.parametrize("model", ["badgerequirement", "badgepenalty"])
def test_a_list_costs_the_same_for_one_row_and_for_many(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, model: str
) -> None:
    factory: Any = {"badgerequirement": factories.RequirementFactory, "badgepenalty": factories.PenaltyFactory}[model]
    factory()
    with django_assert_max_num_queries(20) as few:
        admin_client.get(url(model))
    factory.create_batch(10)
    with django_assert_max_num_queries(len(few.captured_queries)):
        admin_client.get(url(model))
