"""Badge templates: who may activate, edit and delete them, and what staff is warned of."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from badges import models
from tests import factories
from tests.factories import CCX_PASSING, PASSING
from tests.integration.admin.pages import Staff, act, errors, messages, row, submit, url
from tests.integration.fake_provider import config

RULES = [("is_passing", "eq", "true")]
NEEDS = "cannot be active without a requirement"


@pytest.fixture
def inactive() -> models.BadgeTemplate:
    """An inactive template without requirements."""
    return factories.BadgeTemplateFactory(is_active=False, name="Python")


def page_of(template: models.BadgeTemplate) -> str:
    return url("badgetemplate", template.pk, "change")


class TestActivation:
    def test_is_refused_without_a_requirement(self, admin_client: Client, inactive: models.BadgeTemplate) -> None:
        page = submit(admin_client, page_of(inactive), is_active="on")
        inactive.refresh_from_db()
        assert NEEDS in errors(page)
        assert not inactive.is_active

    def test_works_with_a_requirement_that_is_added_by_the_same_save(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        submit(admin_client, page_of(inactive), is_active="on", **row("requirements", 0, event_type=PASSING, group="A"))
        inactive.refresh_from_db()
        assert inactive.is_active
        assert inactive.requirements.get().group == "A"

    def test_works_in_the_save_that_creates_the_template(self, admin_client: Client) -> None:
        values = row("requirements", 0, event_type=PASSING)
        submit(admin_client, url("badgetemplate", "add"), name="New", is_active="on", **values)
        template = models.BadgeTemplate.objects.get()
        assert (template.is_active, template.origin, template.requirements.count()) == (True, "openedx", 1)

    def test_is_refused_with_an_empty_requirement_row(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        page = submit(admin_client, page_of(inactive), is_active="on", **row("requirements", 0, event_type=""))
        assert NEEDS in errors(page)

    def test_is_refused_by_the_word_of_the_provider(self, admin_client: Client) -> None:
        template = factories.CredlyBadgeTemplateFactory(is_active=False, state="archived")
        factories.RequirementFactory(template=template)
        page = submit(admin_client, url("credlybadgetemplate", template.pk, "change"), is_active="on")
        assert 'The provider says that this template is "archived"' in errors(page)

    def test_is_refused_to_whoever_cannot_see_requirements(self, staff: Staff, inactive: models.BadgeTemplate) -> None:
        client = staff("change_badgetemplate", "view_badgetemplate")
        page = submit(client, page_of(inactive), is_active="on")
        assert NEEDS in errors(page)
        factories.RequirementFactory(template=inactive)
        submit(client, page_of(inactive), is_active="on")
        inactive.refresh_from_db()
        assert inactive.is_active

    def test_works_for_whoever_may_only_view_requirements(self, staff: Staff, inactive: models.BadgeTemplate) -> None:
        factories.RequirementFactory(template=inactive)
        client = staff("change_badgetemplate", "view_badgetemplate", "view_badgerequirement")
        submit(client, page_of(inactive), is_active="on")
        inactive.refresh_from_db()
        assert inactive.is_active

    def test_the_last_requirement_of_an_active_template_stays(self, admin_client: Client) -> None:
        requirement = factories.RequirementFactory()
        page = submit(admin_client, page_of(requirement.template), requirements__0__DELETE="on")
        assert NEEDS in errors(page)
        assert models.BadgeRequirement.objects.exists()

    def test_the_last_requirement_goes_with_a_deactivation(self, admin_client: Client) -> None:
        requirement = factories.RequirementFactory()
        submit(admin_client, page_of(requirement.template), without=("is_active",), requirements__0__DELETE="on")
        assert not models.BadgeRequirement.objects.exists()

    def test_the_last_requirement_can_be_replaced(self, admin_client: Client) -> None:
        requirement = factories.RequirementFactory()
        submit(
            admin_client,
            page_of(requirement.template),
            requirements__0__DELETE="on",
            **row("requirements", 1, event_type=CCX_PASSING),
        )
        assert models.BadgeRequirement.objects.get().event_type == CCX_PASSING


class TestWarnings:
    def saved(self, client: Client, template: models.BadgeTemplate) -> list[str]:
        return messages(submit(client, page_of(template), is_active="on"))

    def test_none_for_a_template_in_order(self, admin_client: Client, inactive: models.BadgeTemplate) -> None:
        factories.RequirementFactory(template=inactive, rules=RULES)
        assert len(self.saved(admin_client, inactive)) == 1

    def test_of_a_requirement_without_rules(self, admin_client: Client, inactive: models.BadgeTemplate) -> None:
        factories.RequirementFactory(template=inactive, description="Pass")
        text = f'The badge requirement "Pass" has no rules: every event of type {PASSING} matches it.'
        assert text in self.saved(admin_client, inactive)

    def test_of_a_penalty_without_rules_or_requirements(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        factories.RequirementFactory(template=inactive, rules=RULES)
        factories.PenaltyFactory(template=inactive, description="Fail")
        # Its page would not let it through: made by hand.
        shown = messages(act(admin_client, "badgetemplate", "activate", inactive))
        assert f'The badge penalty "Fail" has no rules: every event of type {PASSING} matches it.' in shown
        assert 'The badge penalty "Fail" resets no requirement, so it does nothing.' in shown

    def test_of_an_event_type_that_is_not_configured(
        self, admin_client: Client, inactive: models.BadgeTemplate, settings: Settings
    ) -> None:
        factories.RequirementFactory(template=inactive, rules=RULES, description="Pass")
        settings.BADGES_CONFIG = config(events=[CCX_PASSING])
        shown = " ".join(self.saved(admin_client, inactive))
        assert f'"Pass" never matches: BADGES_CONFIG["events"] does not have its event type {PASSING}' in shown

    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            (("is_passing", "eq", "perhaps"), '"perhaps" is not a yes/no value'),
            (("course.color", "eq", "red"), 'has no "course.color"'),
        ],
    )
    def test_of_a_rule_that_cannot_be_read(
        self, admin_client: Client, inactive: models.BadgeTemplate, rule: tuple[str, str, str], reason: str
    ) -> None:
        factories.RequirementFactory(template=inactive, rules=[rule], description="Pass")
        shown = " ".join(self.saved(admin_client, inactive))
        assert 'The badge requirement "Pass" is left out of processing:' in shown
        assert reason in shown


class TestActions:
    def test_activate_says_of_each_why_not(self, admin_client: Client, inactive: models.BadgeTemplate) -> None:
        ready = factories.RequirementFactory(template__is_active=False, rules=RULES).template
        page = act(admin_client, "badgetemplate", "activate", inactive, ready)
        ready.refresh_from_db()
        inactive.refresh_from_db()
        assert (ready.is_active, inactive.is_active) == (True, False)
        assert any(text.startswith("Python:") and NEEDS in text for text in messages(page))
        assert "1 badge template was activated." in messages(page)

    def test_activate_obeys_the_word_of_the_provider(self, admin_client: Client) -> None:
        group = factories.AccredibleGroupFactory(is_active=False, state="archived")
        factories.RequirementFactory(template=group)
        page = act(admin_client, "accrediblegroup", "activate", group)
        assert any('The provider says that this template is "archived"' in text for text in messages(page))

    def test_a_switch_changes_the_configuration(self, admin_client: Client) -> None:
        template = factories.BadgeTemplateFactory()
        before = models.ConfigurationVersion.current()
        act(admin_client, "badgetemplate", "deactivate", template)
        template.refresh_from_db()
        assert not template.is_active
        assert models.ConfigurationVersion.current() != before

    def test_both_need_the_permission_to_change(self, staff: Staff) -> None:
        template = factories.BadgeTemplateFactory()
        act(staff("view_badgetemplate"), "badgetemplate", "deactivate", template)
        template.refresh_from_db()
        assert template.is_active


class TestDeletion:
    def test_of_an_active_template_is_refused(self, admin_client: Client) -> None:
        template = factories.BadgeTemplateFactory(name="Python")
        page = admin_client.post(url("badgetemplate", template.pk, "delete"), {"post": "yes"})
        assert messages(page) == ['The badge template "Python" is active. Deactivate it first; then it can be deleted.']
        assert models.BadgeTemplate.objects.exists()

    def test_of_active_templates_among_others_is_refused(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        active = factories.BadgeTemplateFactory(name="Active")
        page = act(admin_client, "badgetemplate", "delete_selected", inactive, active, post="yes")
        assert 'The badge template "Active" is active.' in messages(page)[0]
        assert models.BadgeTemplate.objects.count() == 2

    @pytest.mark.parametrize("bulk", [False, True])
    def test_of_one_that_is_activated_meanwhile_is_refused(
        self, admin_client: Client, inactive: models.BadgeTemplate, monkeypatch: pytest.MonkeyPatch, bulk: bool
    ) -> None:
        from badges.admin.templates import BadgeTemplateAdmin

        found = BadgeTemplateAdmin.get_deleted_objects

        def activated_after(self: Any, objs: Any, request: Any) -> Any:
            result = found(self, objs, request)
            for template in objs:
                template.is_active = True
                template.save()
            return result

        monkeypatch.setattr(BadgeTemplateAdmin, "get_deleted_objects", activated_after)
        if bulk:
            page = act(admin_client, "badgetemplate", "delete_selected", inactive, post="yes")
        else:
            page = admin_client.post(url("badgetemplate", inactive.pk, "delete"), {"post": "yes"}, follow=True)
        assert 'The badge template "Python" is active. Deactivate it first.' in messages(page)
        assert models.BadgeTemplate.objects.exists()

    def test_of_an_inactive_template_takes_its_requirements_along(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        factories.FulfillmentFactory(progress__template=inactive)
        admin_client.post(url("badgetemplate", inactive.pk, "delete"), {"post": "yes"})
        assert not models.BadgeTemplate.objects.exists()
        assert not models.BadgeProgress.objects.exists()

    def test_of_a_template_with_badges_is_refused(self, admin_client: Client, inactive: models.BadgeTemplate) -> None:
        factories.BadgeFactory(template=inactive)
        page = admin_client.post(url("badgetemplate", inactive.pk, "delete"), {"post": "yes"})
        assert "protected related objects" in page.content.decode()
        assert models.BadgeTemplate.objects.exists()


class TestPage:
    def test_has_the_sections_that_operators_know(self, admin_client: Client) -> None:
        template = factories.CredlyBadgeTemplateFactory(name="Python")
        content = admin_client.get(url("credlybadgetemplate", template.pk, "change")).content.decode()
        for text in ("Generic", "Badge template", "Provider", str(template.uuid), template.external_id, "Credly"):
            assert text in content
        assert 'alt="Image of Python"' in content

    @pytest.mark.parametrize("model", ["credlybadgetemplate", "accrediblegroup", "badgetemplate"])
    def test_a_synchronized_template_is_edited_at_the_provider(self, admin_client: Client, model: str) -> None:
        factory = (
            factories.AccredibleGroupFactory if model == "accrediblegroup" else factories.CredlyBadgeTemplateFactory
        )
        template = factory(is_active=False, name="Theirs")
        site = Site.objects.get()
        submit(admin_client, url(model, template.pk, "change"), name="Ours", external_id="x", site=site.pk)
        template.refresh_from_db()
        assert (template.name, template.external_id == "x", template.site_id) == ("Theirs", False, site.pk)

    def test_a_template_of_a_provider_that_is_gone_is_seen_and_not_edited(self, admin_client: Client) -> None:
        account = models.ProviderAccount.objects.create(provider="uninstalled", name="Old", api_key="k")
        template = factories.BadgeTemplateFactory(account=account, external_id="x", name="Theirs", is_active=False)
        submit(admin_client, page_of(template), name="Ours")
        template.refresh_from_db()
        assert template.name == "Theirs"

    @pytest.mark.parametrize("model", ["credlybadgetemplate", "accrediblegroup"])
    def test_a_synchronized_template_is_not_added_by_hand(self, admin_client: Client, model: str) -> None:
        assert admin_client.get(url(model, "add")).status_code == 403

    def test_a_template_without_a_provider_is_edited_here(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        submit(admin_client, page_of(inactive), name="Renamed", image_url="https://example.com/new.png")
        inactive.refresh_from_db()
        assert (inactive.name, inactive.image_url) == ("Renamed", "https://example.com/new.png")

    def test_a_template_of_a_provider_without_list_is_added_by_hand(self, admin_client: Client) -> None:
        account = models.ProviderAccount.objects.create(provider="unlisted", name="By hand", api_key="k")
        add = url("badgetemplate", "add")
        assert "Enter the identifier" in errors(submit(admin_client, add, name="New", account=account.pk))
        assert "Choose the account" in errors(submit(admin_client, add, name="New", external_id="x"))
        submit(admin_client, add, name="New", account=account.pk, external_id="x")
        template = models.BadgeTemplate.objects.get()
        assert (template.provider, template.external_id) == ("unlisted", "x")

    def test_a_template_cannot_be_put_into_an_account_that_is_synchronized(self, admin_client: Client) -> None:
        models.ProviderAccount.objects.create(provider="unlisted", name="By hand", api_key="k")
        synced = factories.CredlyOrganizationFactory()
        page = submit(admin_client, url("badgetemplate", "add"), name="New", account=synced.pk, external_id="x")
        assert "Select a valid choice" in errors(page)

    def test_an_image_with_another_scheme_is_not_shown(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        models.BadgeTemplate.objects.update(image_url="javascript:alert(1)")
        assert "badges-image" not in admin_client.get(page_of(inactive)).content.decode()

    def test_requirements_and_penalties_lead_to_their_own_pages_and_show_their_rules(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        requirement = factories.RequirementFactory(template=inactive, rules=RULES)
        penalty = factories.PenaltyFactory(template=inactive, resets=[requirement])
        content = admin_client.get(page_of(inactive)).content.decode()
        assert url("badgerequirement", requirement.pk, "change") in content
        assert url("badgepenalty", penalty.pk, "change") in content
        assert "is_passing = true" in content


class TestPenaltiesInline:
    def test_offer_the_requirements_of_the_template_alone(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        ours = factories.RequirementFactory(template=inactive)
        factories.RequirementFactory()
        page = admin_client.get(page_of(inactive))
        empty = page.context["inline_admin_formsets"][1].formset.empty_form
        assert list(empty.fields["requirements"].queryset) == [ours]

    def test_are_added_with_the_requirements_they_reset(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        ours = factories.RequirementFactory(template=inactive)
        submit(admin_client, page_of(inactive), **row("penalties", 0, event_type=PASSING, requirements=[ours.pk]))
        assert list(models.BadgePenalty.objects.get().requirements.all()) == [ours]

    def test_refuse_a_requirement_of_another_template(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        foreign = factories.RequirementFactory()
        values = row("penalties", 0, event_type=PASSING, requirements=[foreign.pk])
        page = submit(admin_client, page_of(inactive), **values)
        assert "A penalty resets requirements of its own badge template only." in errors(page)
        assert not models.BadgePenalty.objects.exists()

    def test_survive_that_the_same_save_deletes_a_requirement(
        self, admin_client: Client, inactive: models.BadgeTemplate
    ) -> None:
        kept, deleted = factories.RequirementFactory.create_batch(2, template=inactive)
        submit(
            admin_client,
            page_of(inactive),
            requirements__1__DELETE="on",
            **row("penalties", 0, event_type=PASSING, requirements=[kept.pk, deleted.pk]),
        )
        assert list(models.BadgePenalty.objects.get().requirements.all()) == [kept]


def test_the_list_costs_the_same_for_one_row_and_for_many(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    account = factories.CredlyOrganizationFactory()
    factories.RequirementFactory(template=factories.CredlyBadgeTemplateFactory(account=account))
    with django_assert_max_num_queries(20) as few:
        admin_client.get(url("badgetemplate"))
    for template in factories.CredlyBadgeTemplateFactory.create_batch(10, account=account):
        factories.RequirementFactory.create_batch(2, template=template)
    with django_assert_max_num_queries(len(few.captured_queries)):
        admin_client.get(url("badgetemplate"))
