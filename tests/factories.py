"""Makes the rows and events that tests need."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth import get_user_model
from django.db.models import Model
from opaque_keys.edx.keys import CourseKey
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CourseData, CoursePassingStatusData, UserData, UserPersonalData

from badges import models

if TYPE_CHECKING:
    # Calling a factory gives a model instance, which its own types do not tell.
    factory: Any
    ModelFactory: Any
else:
    import factory
    from factory.django import DjangoModelFactory as ModelFactory

M = TypeVar("M", bound=Model)
PASSING = "org.openedx.learning.course.passing.status.updated.v1"
CCX_PASSING = "org.openedx.learning.ccx.course.passing.status.updated.v1"
COURSE = "course-v1:edX+DemoX+2026"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """A time, so many seconds after a fixed start."""
    return EPOCH + timedelta(seconds=seconds)


def in_bulk(rows: Iterable[M]) -> list[M]:
    """Insert them with one statement; gives them with their ids, which MySQL does not tell."""
    wanted = list(rows)
    manager = type(wanted[0])._default_manager
    made = manager.bulk_create(wanted)
    if all(one.pk is not None for one in made):
        return made
    return [*reversed(manager.order_by("-pk")[: len(made)])]


def user_data(username: str = "anna", **overrides: Any) -> UserData:
    """The learner of an event."""
    values = {"email": f"{username}@example.com", "name": "Anna Maria Lee", "id": 7, "is_active": True, **overrides}
    return UserData(
        id=values["id"],
        is_active=values["is_active"],
        pii=UserPersonalData(username=username, email=values["email"], name=values["name"]),
    )


def passing_status(
    username: str = "anna", *, course: str = COURSE, is_passing: bool = True, **user: Any
) -> CoursePassingStatusData:
    """The payload of a passing-status event, as the LMS sends it: of the course, only its key."""
    return CoursePassingStatusData(
        is_passing=is_passing,
        user=user_data(username, **user),
        course=CourseData(course_key=CourseKey.from_string(course)),
    )


def metadata(
    event_type: str = PASSING, *, at: float | datetime = 0, event_id: uuid.UUID | None = None
) -> EventsMetadata:
    """The metadata of an event; ``at`` in seconds after a fixed start, or a time."""
    time = at if isinstance(at, datetime) else moment(at)
    return EventsMetadata(event_type=event_type, id=event_id or uuid.uuid4(), time=time)


class UserFactory(ModelFactory):
    """A learner."""

    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"learner{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    full_name = "Anna Maria Lee"


class CredlyOrganizationFactory(ModelFactory):
    """An organization at Credly."""

    class Meta:
        model = models.CredlyOrganization

    name = factory.Sequence(lambda n: f"Organization {n}")
    external_id = factory.LazyFunction(lambda: str(uuid.uuid4()))
    api_key = "credly-key"


class AccredibleAPIConfigFactory(ModelFactory):
    """A key at Accredible."""

    class Meta:
        model = models.AccredibleAPIConfig

    name = factory.Sequence(lambda n: f"Accredible {n}")
    api_key = "accredible-key"


class BadgeKitSystemFactory(ModelFactory):
    """A system at a BadgeKit API."""

    class Meta:
        model = models.BadgeKitSystem

    name = factory.Sequence(lambda n: f"City {n}")
    external_id = factory.Sequence(lambda n: f"city-{n}")
    api_key = "badgekit-secret"


class BadgeTemplateFactory(ModelFactory):
    """An active template without a provider."""

    class Meta:
        model = models.BadgeTemplate

    name = factory.Sequence(lambda n: f"Badge {n}")
    description = "For those who finish."
    image_url = "https://images.example.com/badge.png"
    is_active = True


class CredlyBadgeTemplateFactory(BadgeTemplateFactory):
    """An active template of a Credly organization."""

    class Meta:
        model = models.CredlyBadgeTemplate

    account = factory.SubFactory(CredlyOrganizationFactory)
    external_id = factory.LazyFunction(lambda: str(uuid.uuid4()))


class AccredibleGroupFactory(BadgeTemplateFactory):
    """An active group at Accredible."""

    class Meta:
        model = models.AccredibleGroup

    account = factory.SubFactory(AccredibleAPIConfigFactory)
    external_id = factory.Sequence(lambda n: str(1000 + n))


class BadgeKitTemplateFactory(BadgeTemplateFactory):
    """An active badge of a BadgeKit system."""

    class Meta:
        model = models.BadgeKitTemplate

    account = factory.SubFactory(BadgeKitSystemFactory)
    external_id = factory.Sequence(lambda n: f"badge-{n}")


class RequirementFactory(ModelFactory):
    """A requirement; ``rules`` are (path, operator, value)."""

    class Meta:
        model = models.BadgeRequirement
        skip_postgeneration_save = True

    template = factory.SubFactory(BadgeTemplateFactory)
    event_type = PASSING

    @factory.post_generation  # type: ignore[untyped-decorator]
    def rules(obj: models.BadgeRequirement, create: bool, extracted: Any) -> None:  # noqa: N805
        for path, operator, value in extracted or ():
            models.DataRule.objects.create(requirement=obj, data_path=path, operator=operator, value=value)


class PenaltyFactory(ModelFactory):
    """A penalty; ``rules`` are (path, operator, value), ``resets`` requirements."""

    class Meta:
        model = models.BadgePenalty
        skip_postgeneration_save = True

    template = factory.SubFactory(BadgeTemplateFactory)
    event_type = PASSING

    @factory.post_generation  # type: ignore[untyped-decorator]
    def rules(obj: models.BadgePenalty, create: bool, extracted: Any) -> None:  # noqa: N805
        for path, operator, value in extracted or ():
            models.PenaltyDataRule.objects.create(penalty=obj, data_path=path, operator=operator, value=value)

    @factory.post_generation  # type: ignore[untyped-decorator]
    def resets(obj: models.BadgePenalty, create: bool, extracted: Any) -> None:  # noqa: N805
        obj.requirements.set(extracted or ())


class BadgeFactory(ModelFactory):
    """An awarded badge."""

    class Meta:
        model = models.Badge

    user = factory.SubFactory(UserFactory)
    template = factory.SubFactory(BadgeTemplateFactory)
    awarded_at = EPOCH


class BadgeProgressFactory(ModelFactory):
    """A progress record without fulfilments."""

    class Meta:
        model = models.BadgeProgress

    user = factory.SubFactory(UserFactory)
    template = factory.SubFactory(BadgeTemplateFactory)


class FulfillmentFactory(ModelFactory):
    """A fulfilled requirement."""

    class Meta:
        model = models.Fulfillment

    progress = factory.SubFactory(BadgeProgressFactory)
    requirement = factory.SubFactory(RequirementFactory, template=factory.SelfAttribute("..progress.template"))
    event_type = PASSING
    event_id = factory.LazyFunction(uuid.uuid4)
    event_time = EPOCH


class DeliveryFactory(ModelFactory):
    """A pending delivery; with another status, it is finished or leased as that status demands."""

    class Meta:
        model = models.Delivery

    badge = factory.SubFactory(BadgeFactory)
    action = models.Delivery.Action.ISSUE
    status = models.Delivery.Status.PENDING
    finished_at = factory.LazyAttribute(lambda row: None if row.status in models.Delivery.OPEN else datetime.now(UTC))
    leased_until = factory.LazyAttribute(
        lambda row: datetime.now(UTC) + timedelta(minutes=5) if row.status == "in_progress" else None
    )
    lease_token = factory.LazyAttribute(lambda row: uuid.uuid4() if row.status == "in_progress" else None)


class DeadEventFactory(ModelFactory):
    """An event that failed."""

    class Meta:
        model = models.DeadEvent

    event_id = factory.LazyFunction(uuid.uuid4)
    event_type = PASSING
    event_time = EPOCH
    payload = factory.LazyFunction(dict)
    metadata = factory.LazyFunction(dict)
    error = "It failed."


class CallbackEndpointFactory(ModelFactory):
    """A system that is told of everything."""

    class Meta:
        model = models.CallbackEndpoint

    name = factory.Sequence(lambda n: f"Receiver {n}")
    url = factory.Sequence(lambda n: f"https://receiver{n}.example.com/hook")
    secret = "a secret of at least thirty-two bytes"


class CallbackFactory(ModelFactory):
    """A callback about an award, without its delivery; with a ``review`` give ``badge=None``."""

    class Meta:
        model = models.Callback

    endpoint = factory.SubFactory(CallbackEndpointFactory)
    badge = factory.SubFactory(BadgeFactory)
    action = models.Callback.Action.AWARD


class CallbackDeliveryFactory(DeliveryFactory):
    """A delivery of a callback."""

    badge = None
    callback = factory.SubFactory(CallbackFactory)
    action = models.Delivery.Action.CALLBACK


class CriterionFactory(ModelFactory):
    """A required criterion of reviews."""

    class Meta:
        model = models.Criterion

    template = factory.SubFactory(BadgeTemplateFactory, takes_applications=True)
    description = factory.Sequence(lambda n: f"Criterion {n}")


class ApplicationFactory(ModelFactory):
    """An application that waits for a review."""

    class Meta:
        model = models.Application

    template = factory.SubFactory(BadgeTemplateFactory, takes_applications=True)
    user = factory.SubFactory(UserFactory)
    statement = "I have done it."
    submitted_at = EPOCH


class WebhookEventFactory(ModelFactory):
    """An event that a provider told us of."""

    class Meta:
        model = models.WebhookEvent

    account = factory.SubFactory(CredlyOrganizationFactory)
    event_id = factory.LazyFunction(lambda: str(uuid.uuid4()))
    event_type = "badge.created"
    body = "{}"
    status = models.WebhookEvent.Status.RECEIVED
    finished_at = factory.LazyAttribute(
        lambda row: None if row.status in models.WebhookEvent.OPEN else datetime.now(UTC)
    )


class ProviderBadgeFactory(ModelFactory):
    """A badge that is only at the provider."""

    class Meta:
        model = models.ProviderBadge

    account = factory.SubFactory(CredlyOrganizationFactory)
    external_id = factory.LazyFunction(lambda: str(uuid.uuid4()))


class EmployeeRecordFactory(ModelFactory):
    """An employee of a Workforce organization."""

    class Meta:
        model = models.EmployeeRecord

    account = factory.SubFactory(CredlyOrganizationFactory)
    employment_id = factory.LazyFunction(lambda: str(uuid.uuid4()))
    email = factory.Sequence(lambda n: f"employee{n}@example.com")
    full_name = factory.Sequence(lambda n: f"Employee {n}")
    as_of = EPOCH


class EmployeeBadgeFactory(ModelFactory):
    """A badge that an employer may see."""

    class Meta:
        model = models.EmployeeBadge

    employee = factory.SubFactory(EmployeeRecordFactory)
    external_id = factory.LazyFunction(lambda: str(uuid.uuid4()))
    template_name = factory.Sequence(lambda n: f"Badge of an employee {n}")
    state = "accepted"
    issuer_name = "Another organization"
    as_of = EPOCH
