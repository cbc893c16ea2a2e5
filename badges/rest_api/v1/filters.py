"""What lists can be filtered by. What is not understood is refused, and never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.utils.translation import gettext, gettext_lazy
from rest_framework import serializers

from badges.data import OPENEDX_ORIGIN
from badges.models import Application, Badge, BadgeTemplate
from badges.models.users import USERNAME, username_of
from badges.rest_api.fields import Time
from badges.rest_api.keyset import in_range
from badges.rest_api.v1.reading import LARGEST_ID, Text, lms_id_column
from badges.rest_api.v1.words import is_origin

PAGING = ("page_query_param", "page_size_query_param", "cursor_query_param")
"""Under which attributes a paginator has the names of its own parameters."""
NO_UUID: dict[str, Any] = {"invalid": gettext_lazy("This is not a UUID.")}
Orders = Mapping[str, tuple[str, ...]]
BADGE_ORDERS: Orders = {
    "created": ("pk",),
    "awarded_at": ("awarded_at", "pk"),
    "modified": ("modified", "pk"),
}
MOST_NAMESAKES = 100
"""Users of one id in the LMS: there should be one."""
PROGRESS_ORDERS: Orders = {"created": ("pk",)}


class Query(serializers.Serializer[Any]):
    """The parameters of a list: each is known, and there once."""

    def to_internal_value(self, data: Any) -> Any:
        paginator = self.context["view"].paginator
        paging = {getattr(paginator, attribute, None) for attribute in PAGING}
        errors: dict[str, list[Any]] = {}
        for name in data:
            if name not in self.fields and name not in paging:
                text = gettext("There is no such filter. Known: %(filters)s.")
                known = [*self.fields, *sorted(filter(None, paging))]
                errors[name] = [text % {"filters": ", ".join(known)}]
            elif hasattr(data, "getlist") and len(data.getlist(name)) > 1:
                errors[name] = [gettext("Give this only once.")]
        if errors:
            raise serializers.ValidationError(errors)
        # Of a form, which a query looks like, an absent yes or no would count as no.
        return super().to_internal_value({name: data[name] for name in data})


class Moment(Time):
    """A time that any database can compare with; without a zone it is of the project's."""

    default_error_messages = {"range": gettext_lazy("The year must be between 1900 and 9000.")}

    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        if not in_range(moment):
            self.fail("range")
        return moment


class Statuses(serializers.CharField):
    """One status of a badge, or several with commas."""

    default_error_messages = {"unknown": gettext_lazy('There is no status "{status}". Known: {known}.')}

    def to_internal_value(self, data: Any) -> Any:
        wanted = super().to_internal_value(data).split(",")
        for status in wanted:
            if status not in Badge.Status.values:
                self.fail("unknown", status=status, known=", ".join(Badge.Status.values))
        return wanted


class Order(serializers.ChoiceField):
    """By what a list is ordered; with ``-`` before it, the other way round."""

    default_error_messages = {"invalid_choice": gettext_lazy('There is no order "{input}". Known: {known}.')}

    def __init__(self, orders: Orders, **kwargs: Any) -> None:
        self.orders = orders
        names = [f"{sign}{name}" for name in orders for sign in ("", "-")]
        super().__init__(names, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if str(data) not in self.choices:
            self.fail("invalid_choice", input=data, known=", ".join(self.choices))
        sign = "-" if str(data).startswith("-") else ""
        return tuple(f"{sign}{column}" for column in self.orders[str(data).removeprefix("-")])


class MyBadgesQuery(Query):
    """The learner's own badges."""

    status = Statuses(required=False)


class TemplatesQuery(Query):
    """What can be earned."""

    earned = serializers.BooleanField(required=False)
    takes_applications = serializers.BooleanField(required=False)


class Unfiltered(Query):
    """Lists that are paged, and shown whole."""


class ApplicationsQuery(Query):
    """Applications of all learners."""

    status = Text(required=False)
    template = serializers.UUIDField(required=False, error_messages=NO_UUID)
    learner = Text(required=False)
    assigned_to = Text(required=False)

    def validate_status(self, value: str) -> list[str]:
        wanted = value.split(",")
        if unknown := sorted(set(wanted) - set(Application.Status.values)):
            raise serializers.ValidationError(gettext('There is no status "%(status)s".') % {"status": unknown[0]})
        return wanted


class LearnerQuery(Query):
    """Lists in which there are many learners."""

    template_columns: ClassVar[dict[str, str]] = {"template": "uuid"}

    username = serializers.CharField(required=False, max_length=255)
    lms_user_id = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    template = serializers.UUIDField(required=False, error_messages=NO_UUID)

    @classmethod
    def conditions(cls, query: dict[str, Any]) -> dict[str, Any]:
        """Lookups for a checked query. None needs a join, which can make databases sort all rows for one page."""
        found: dict[str, Any] = {}
        columns = {"username": USERNAME, "lms_user_id": lms_id_column()}
        learner = {columns[name]: query[name] for name in columns if name in query}
        if learner:
            users = get_user_model()._default_manager.filter(**learner).order_by("pk")[:MOST_NAMESAKES]
            # MySQL takes letters for the same that are not, and these are other people.
            meant = (user for user in users if query.get("username") in (None, username_of(user)))
            found["user__in"] = [user.pk for user in meant]
        template = {column: query[name] for name, column in cls.template_columns.items() if name in query}
        if template:
            found["template__in"] = list(BadgeTemplate.objects.filter(**template).values_list("pk", flat=True))
        return found


class BadgesQuery(LearnerQuery):
    """Badges of all learners."""

    template_columns = {"template": "uuid", "provider": "provider"}

    provider = serializers.CharField(required=False, max_length=50)
    status = Statuses(required=False)
    state = serializers.CharField(required=False, allow_blank=True, max_length=50)
    awarded_after = Moment(required=False)
    awarded_before = Moment(required=False)
    modified_after = Moment(required=False)
    ordering = Order(BADGE_ORDERS, required=False)

    def validate_provider(self, value: str) -> str:
        if not is_origin(value) and not BadgeTemplate.objects.filter(provider=value).exists():
            raise serializers.ValidationError(gettext('There is no provider "%(slug)s".') % {"slug": value})
        return "" if value == OPENEDX_ORIGIN else value

    @classmethod
    def conditions(cls, query: dict[str, Any]) -> dict[str, Any]:
        columns = {
            "status": "status__in",
            "state": "state",
            "awarded_after": "awarded_at__gte",
            "awarded_before": "awarded_at__lt",
            "modified_after": "modified__gte",
        }
        return super().conditions(query) | {columns[name]: query[name] for name in columns if name in query}


class ProgressQuery(LearnerQuery):
    """Progress of all learners."""

    complete = serializers.BooleanField(required=False)
    ordering = Order(PROGRESS_ORDERS, required=False)

    @classmethod
    def conditions(cls, query: dict[str, Any]) -> dict[str, Any]:
        # "complete" is calculated, and only where somebody asks for it.
        return super().conditions(query) | ({"complete": query["complete"]} if "complete" in query else {})
