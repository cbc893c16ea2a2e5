"""What all addresses of the API share: who asks, by which way, how often, in which language, and for which form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.authentication import BasicAuthentication, SessionAuthentication

from badges.models import Badge, BadgeTemplate
from badges.rest_api.v1.urls import router
from badges.rest_api.views import ApiViews
from tests.factories import ApplicationFactory, BadgeFactory, RequirementFactory, UserFactory, moment
from tests.integration.applications.helpers import person
from tests.integration.rest_api.conftest import ROOT, Api

pytestmark = pytest.mark.django_db
LISTS = [f"{prefix}/" for prefix, *_ in router.registry]
EVERYTHING = ("view_badge", "view_badgeprogress", "view_delivery", "review_application", "add_badge")


@pytest.fixture
def asking(api: Callable[..., Api]) -> Api:
    return api(person(*EVERYTHING, username="stella"))


class TestWhoAsks:
    @pytest.fixture
    def wanted(self, template: BadgeTemplate) -> dict[str, str]:
        UserFactory(username="anna")
        return {"template": str(template.uuid), "username": "anna", "reason": "Took part."}

    def test_with_a_session_alone_nothing_is_awarded(self, wanted: dict[str, str]) -> None:
        """Another site's page can make a browser send it, with its cookies."""
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(person("add_badge"))

        answer = browser.post(f"{ROOT}badges/", wanted, "application/json")

        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
        assert not Badge.objects.exists()

    def test_with_a_session_and_its_token_against_forgery_it_is(self, wanted: dict[str, str]) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(person("add_badge"))
        browser.cookies["csrftoken"] = "a" * 32

        answer = browser.post(f"{ROOT}badges/", wanted, "application/json", headers={"X-CSRFToken": "a" * 32})

        assert answer.status_code == 201

    def test_the_projects_ways_to_log_in_are_asked_in_their_order(
        self, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str]
    ) -> None:
        """A token needs no protection against forgery, and its holder no session."""
        monkeypatch.setattr(ApiViews, "authentication_classes", [BasicAuthentication, SessionAuthentication])
        staff = person("add_badge", username="sara")
        staff.set_password("x")
        staff.save()
        program = Client(enforce_csrf_checks=True, headers={"Authorization": "Basic c2FyYTp4"})

        assert program.post(f"{ROOT}badges/", wanted, "application/json").status_code == 201
        nobody = Client().get(f"{ROOT}badges/")
        assert (nobody.status_code, nobody["WWW-Authenticate"]) == (401, 'Basic realm="api"')


class TestHowOften:
    @pytest.fixture(autouse=True)
    def _rate(self, settings: Settings) -> None:
        settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"badges": "2/min"}}

    @pytest.mark.parametrize("path", LISTS)
    def test_who_asks_too_often_is_told_how_long_to_wait(self, asking: Api, path: str) -> None:
        *_, last = [asking.get(path) for _ in range(3)]

        assert (last.status_code, last.json()["error"]["code"]) == (429, "throttled")
        assert 0 < int(last["Retry-After"]) <= 60

    def test_each_user_is_counted_and_not_the_proxy_between(self, api: Callable[..., Api]) -> None:
        anna, ben = api(UserFactory()), api(UserFactory())

        assert [anna.get("my/badges/").status_code for _ in range(3)] == [200, 200, 429]
        assert ben.get("my/badges/").status_code == 200
        # Nor does it help to say that one is somewhere else.
        elsewhere = anna._client.get(f"{ROOT}my/badges/", headers={"X-Forwarded-For": "203.0.113.9"})
        assert elsewhere.status_code == 429

    @pytest.mark.parametrize("address", ["x" * 300, "a b\x7f", "\xff"])
    def test_an_address_that_no_cache_takes_as_a_key_does_no_harm(self, address: str) -> None:
        nobody = Client(headers={"X-Forwarded-For": address})

        assert [nobody.get(f"{ROOT}nothing/").status_code for _ in range(3)] == [404, 404, 429]

    def test_the_project_can_switch_it_off(self, asking: Api, settings: Settings) -> None:
        settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"badges": None}}

        assert {asking.get("my/badges/").status_code for _ in range(5)} == {200}


class TestTheForm:
    @pytest.mark.parametrize("path", LISTS)
    def test_it_is_json_whatever_is_wanted(self, asking: Api, path: str) -> None:
        for accept in ("text/html,*/*;q=0.1", "application/xml", "nonsense", ""):
            answer = asking._client.get(ROOT + path, headers={"Accept": accept})
            assert (answer.status_code, answer["Content-Type"]) == (200, "application/json"), accept

    @pytest.mark.parametrize("path", LISTS)
    def test_an_unknown_filter_is_refused_and_so_is_one_that_is_there_twice(self, asking: Api, path: str) -> None:
        for query, name in (("format=api", "format"), ("statsu=returned", "statsu"), ("page_size=1&page_size=2", None)):
            answer = asking._client.get(f"{ROOT}{path}?{query}")
            assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [name or "page_size"]), query

    @pytest.mark.parametrize("path", LISTS)
    def test_no_cache_may_keep_it_for_somebody_else(self, asking: Api, path: str) -> None:
        """Caches know nothing of the tokens that say who asks; Django's own cache of a whole site does not either."""
        for answer in (asking.get(path), Client().get(ROOT + path)):
            assert answer["Cache-Control"] == "private, no-store"

    @pytest.mark.parametrize("path", LISTS)
    def test_head_and_options_tell_no_more_than_get(self, asking: Api, path: str) -> None:
        head, options = asking._client.head(ROOT + path), asking._client.options(ROOT + path)

        assert (head.status_code, head.content) == (200, b"")
        assert options.status_code == 200
        # What it takes is in the OpenAPI document. DRF would say here that it takes what it answers.
        assert "actions" not in options.json()
        for method in ("head", "options"):
            assert getattr(Client(), method)(ROOT + path).status_code in (401, 403)

    @pytest.mark.parametrize("path", LISTS)
    def test_other_methods_do_nothing(self, asking: Api, path: str) -> None:
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
            answer = asking._client.generic(method, ROOT + path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed"), method


def test_texts_are_in_the_language_of_the_request(asking: Api, settings: Settings) -> None:
    after = settings.MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware") + 1
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:after],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[after:],
    ]
    RequirementFactory(rules=[("is_passing", "eq", "true")])

    told = {
        language: asking._client.get(f"{ROOT}templates/", headers={"Accept-Language": language})
        for language in ("en", "de", "xx")
    }

    missing = {language: answer.json()["results"][0]["missing"] for language, answer in told.items()}
    assert missing["en"] == missing["xx"] == ["Pass any course"]
    assert missing["de"] == ["Einen beliebigen Kurs bestehen"]
    assert "Accept-Language" in told["de"]["Vary"]


class TestWhatTheProjectWantsOfItsOwnAddresses:
    """As the Credentials service has it, and more."""

    @pytest.fixture(autouse=True)
    def _settings(self, settings: Settings) -> None:
        settings.REST_FRAMEWORK = {
            "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%SZ",
            "DATETIME_INPUT_FORMATS": ["%d.%m.%Y"],
            "NON_FIELD_ERRORS_KEY": "__all__",
        }
        settings.TIME_ZONE = "Europe/Berlin"

    def test_times_have_their_offset_and_all_of_their_digits(self, asking: Api) -> None:
        at = moment(1.000123)
        badge = BadgeFactory(awarded_at=at)

        (told,) = asking.get("badges/", awarded_after=at.isoformat()).json()["results"]

        assert told["awarded_at"] == "2026-01-01T01:00:01.000123+01:00"
        assert told["modified"] == timezone.localtime(badge.modified).isoformat()

    def test_a_reviewer_sends_back_the_time_of_what_was_read(self, asking: Api) -> None:
        application = ApplicationFactory(submitted_at=moment(1.000123))
        read = asking.get(f"applications/{application.pk}/").json()

        body = {"approves": True, "submitted_at": read["submitted_at"]}
        answer = asking.post(f"applications/{application.pk}/review/", body)

        assert answer.status_code == 201, answer.content

    def test_an_error_of_no_field_is_named_as_ever(self, asking: Api, template: BadgeTemplate) -> None:
        answer = asking.post("badges/", {"template": str(template.uuid), "reason": "Took part."})

        assert list(answer.json()["error"]["fields"]) == [""]

    @pytest.mark.parametrize("name", ["filter_backends", "versioning_class", "metadata_class", "renderer_classes"])
    def test_no_default_of_its_classes_is_taken_over(self, name: str) -> None:
        assert name in vars(ApiViews)
