"""Each answer that the OpenAPI document promises is given, and is as the document says; so are all errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import override_settings
from django.utils import timezone
from openapi_schema_validator import OAS31Validator
from rest_framework.authentication import BasicAuthentication

from badges.models import Application, Badge, Callback, CallbackEndpoint, Delivery
from badges.rest_api.views import ApiViews
from tests.factories import (
    ApplicationFactory,
    BadgeFactory,
    BadgeProgressFactory,
    BadgeTemplateFactory,
    CriterionFactory,
    FulfillmentFactory,
    RequirementFactory,
    UserFactory,
    moment,
)
from tests.integration.applications.helpers import PNG, upload
from tests.integration.rest_api.conftest import ROOT, Api

pytestmark = pytest.mark.django_db
DOCUMENT = yaml.safe_load((Path(__file__).parents[3] / "docs" / "openapi.yaml").read_text())
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
RETURNED, APPROVED, AWARDED = Application.Status.RETURNED, Application.Status.APPROVED, Application.Status.AWARDED
# What the application must be for an operation to succeed; it is refused for an application that is awarded already.
WANTED = {
    "resubmit_my_application": RETURNED,
    "resubmit_application": RETURNED,
    "award_application": APPROVED,
}


class World:
    """Something of all that there is, and who may do everything."""

    def __init__(self, wanted: str = Application.Status.SUBMITTED) -> None:
        self.root = get_user_model()._default_manager.create_superuser("root", "root@example.com", "x")
        self.anna = UserFactory(username="anna")
        self.template = BadgeTemplateFactory(takes_applications=True)
        requirement = RequirementFactory(template=self.template, rules=[("is_passing", "eq", "true")])
        self.criterion = CriterionFactory(template=self.template)
        self.badge = BadgeFactory(user=self.root, template=self.template, external_id="x1", url="https://example.com/b")
        self.badge.changes.create(action="awarded", by=self.anna, reason="At the fair.")
        self.progress = BadgeProgressFactory(user=self.root, template=self.template)
        FulfillmentFactory(progress=self.progress, requirement=requirement)
        self.delivery = Delivery.objects.create(badge=self.badge, action="issue")
        self.delivery.history.create(number=1, started_at=moment(1), duration_ms=5, outcome="retry")
        endpoint = CallbackEndpoint.objects.create(name="Elsewhere", url="https://callbacks.example.com/")
        callback = Callback.objects.create(endpoint=endpoint, action="award", badge=self.badge)
        Delivery.objects.create(callback=callback, action="callback")
        # Nobody reviews what is their own.
        self.own, self.application = (
            ApplicationFactory(template=self.template, user=user, status=wanted) for user in (self.root, self.anna)
        )
        for one in (self.own, self.application):
            file = upload().file
            one.evidence.create(kind="file", file=file, file_name="work.png", media_type="image/png")
            review = one.reviews.create(author=UserFactory(), is_approved=False, reviewed_at=moment(3))
            review.items.create(criterion=self.criterion, description="It works.", is_satisfied=False)
            one.changes.create(status="submitted", by=one.user)

    def address(self, name: str) -> str:
        """Where an operation is asked for; of what is there."""
        path = OPERATIONS[name][1].lstrip("/")
        application = self.own if path.startswith("my/") else self.application
        evidence = application.evidence.earliest("pk")
        for prefix, values in {
            "my/progress": {"uuid": self.template.uuid},
            "my/badges": {"uuid": self.badge.uuid},
            "badges": {"uuid": self.badge.uuid},
            "templates": {"uuid": self.template.uuid},
            "application-templates": {"uuid": self.template.uuid},
            "progress": {"id": self.progress.pk},
            "deliveries": {"id": self.delivery.pk},
            "my/applications": {"id": application.pk, "evidence_id": evidence.pk},
            "applications": {"id": application.pk, "evidence_id": evidence.pk},
        }.items():
            if path.startswith(f"{prefix}/"):
                return str(path.format(**values))
        raise LookupError(path)

    def body(self, name: str) -> dict[str, Any]:
        """What is right to send."""
        fresh = str(BadgeTemplateFactory(takes_applications=True).uuid)
        evidence = [{"kind": "link", "url": "https://example.com/work"}]
        items = [{"criterion": self.criterion.pk, "is_satisfied": True}]
        bodies: dict[str, dict[str, Any]] = {
            "award_badge": {"template": fresh, "username": "anna", "reason": "At the fair."},
            "revoke_badge": {"reason": "It was meant for another learner."},
            "cancel_delivery": {"reason": "It was given on paper."},
            "apply_for_badge": {"template": fresh, "evidence": evidence},
            "apply_for_learner": {"template": fresh, "evidence": evidence, "learner": "anna"},
            "resubmit_my_application": {"evidence": evidence},
            "resubmit_application": {"evidence": evidence},
            "review_application": {"approves": True, "items": items},
            "close_application": {"reason": "It is not for this badge."},
            "assign_application": {"assigned_to": "root"},
        }
        return bodies.get(name, {})


def ask(asking: Api, world: World, name: str, **body: Any) -> Any:
    if OPERATIONS[name][0] == "get":
        return asking.get(world.address(name))
    return asking.post(world.address(name), {**world.body(name), **body})


def check(answer: Any, name: str, status: int) -> None:
    """An answer is one that the document has."""
    assert answer.status_code == status, getattr(answer, "content", "")
    told = OPERATIONS[name][2]["responses"][str(status)]
    if "$ref" in told:
        told = DOCUMENT["components"]["responses"][told["$ref"].rpartition("/")[2]]
    for header, of in told.get("headers", {}).items():
        value: Any = int(answer[header]) if of["schema"]["type"] == "integer" else answer[header]
        assert not list(OAS31Validator(of["schema"]).iter_errors(value))
    if "application/octet-stream" in told["content"]:
        assert b"".join(answer.streaming_content) == PNG
        return
    media_type = answer["Content-Type"].partition(";")[0]
    schema = {**told["content"][media_type]["schema"], "components": DOCUMENT["components"]}
    validator = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.json())] == []
    if "results" in answer.json():
        assert answer.json()["results"], "An empty list shows nothing."


def finished(world: World, name: str) -> dict[str, Any]:
    """Somebody was faster; what is sent beside the usual."""
    Badge.objects.update(status="revoked", revoked_at=timezone.now())
    Delivery.objects.filter(pk=world.delivery.pk).move("cancelled")
    Application.objects.update(status=AWARDED)
    taken = str(world.template.uuid)
    if name == "award_badge":
        return {"template": taken, "username": "root"}
    return {"template": taken} if name.startswith("apply_") else {}


def provoked(status: int, name: str, world: World, asking: Api, nobody: Api) -> Any:
    """The answer to a request that is to be answered with this status."""
    where = world.address(name)
    if status == 400:
        return asking.get(where, nonsense="1") if OPERATIONS[name][0] == "get" else asking.raw(where, b"[")
    if status == 401:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(ApiViews, "authentication_classes", [BasicAuthentication])
            return ask(nobody, world, name)
    if status == 403:
        return ask(nobody, world, name)
    if status == 404:
        with override_settings(BADGES_ENABLED=False):
            return ask(asking, world, name)
    if status == 409:
        return ask(asking, world, name, **finished(world, name))
    if status == 413:
        few = {"applications": {"max_file": 1, "max_evidence": 1}}
        with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=1, BADGES_CONFIG=few):
            return ask(asking, world, name, reason="It is long.")
    if status == 415:
        return asking.raw(where, b"x", "text/plain")
    if status == 429:
        # Without what was asked before at another rate.
        cache.clear()
        with override_settings(REST_FRAMEWORK={"DEFAULT_THROTTLE_RATES": {"badges": "0/min"}}):
            return ask(asking, world, name)
    return ask(asking, world, name)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_the_document_promises_is_given(api: Callable[..., Api], name: str) -> None:
    world = World(WANTED.get(name, Application.Status.SUBMITTED))
    promised = [int(code) for code in OPERATIONS[name][2]["responses"]]

    # What changes something comes last: the success, and then that somebody was faster.
    for status in sorted(promised, key=lambda code: (code == 409, code < 300, code)):
        check(provoked(status, name, world, api(world.root), api()), name, status)


@pytest.mark.parametrize("name", [name for name, (_, path, _) in OPERATIONS.items() if re.search("id}", path)])
def test_what_is_not_there_is_not_found(api: Callable[..., Api], name: str) -> None:
    world = World()
    address = world.address(name)
    # The last identifier is one of nothing.
    found = re.findall(r"(?<=/)(?:[0-9a-f-]{36}|[0-9]+)(?=/)", address)[-1]
    nowhere = "00000000-0000-0000-0000-000000000000" if "-" in found else "999999"
    gone = nowhere.join(address.rsplit(found, 1))

    method, *_ = OPERATIONS[name]
    answer = api(world.root).get(gone) if method == "get" else api(world.root).post(gone, world.body(name))

    check(answer, name, 404)


def test_every_operation_is_at_the_address_that_it_says() -> None:
    assert DOCUMENT["servers"] == [{"url": ROOT.rstrip("/")}]
