"""How far a learner has come: progress records and the fulfilments they hold."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, F, Func, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext_lazy as _

from badges.models.base import TimeStamped
from badges.models.requirements import BadgeRequirement
from badges.models.templates import BadgeTemplate


class _Exact(Func):
    """A text that is the same as another one only to the letter. MySQL takes "a" and "A" for one; this app does not."""

    template = "%(expressions)s"

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="HEX(%(expressions)s)", **context)


# A requirement without a group stands alone, so it counts under its own id.
_GROUP_KEY = Case(
    When(group="", then=Concat(Value("#"), Cast("pk", models.CharField()))),
    default=Concat(Value("="), _Exact("group")),
    output_field=models.CharField(),
)


def _groups_of(template_ref: str, **conditions: object) -> Coalesce:
    groups = (
        BadgeRequirement.objects.filter(template=OuterRef(template_ref), **conditions)
        .order_by()
        .values("template")
        .annotate(number=Count(_GROUP_KEY, distinct=True))
        .values("number")
    )
    return Coalesce(Subquery(groups, output_field=models.IntegerField()), 0)


class ProgressQuerySet(models.QuerySet["BadgeProgress"]):
    """Progress records, with how far they are."""

    def with_completion(self) -> ProgressQuerySet:
        """Annotate ``group_count``, ``fulfilled_count`` (groups) and ``complete``."""
        return self.annotate(
            group_count=_groups_of("template_id"),
            fulfilled_count=_groups_of(
                "template_id",
                fulfillments__progress=OuterRef("pk"),
                fulfillments__is_fulfilled=True,
            ),
        ).annotate(
            complete=Case(
                When(Q(group_count__gt=0) & Q(fulfilled_count__gte=F("group_count")), then=Value(True)),
                default=Value(False),
                output_field=models.BooleanField(),
            )
        )


class BadgeProgress(TimeStamped):
    """That a learner has fulfilled at least one requirement of a template at some time.

    .. pii: Links a learner to a template. Deleted with the user; stays where the user's record is anonymized.
    .. pii_types: id
    .. pii_retirement: local_api
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("learner"), on_delete=models.CASCADE, related_name="badge_progress"
    )
    template = models.ForeignKey(
        BadgeTemplate, verbose_name=_("badge template"), on_delete=models.CASCADE, related_name="progress"
    )

    objects = ProgressQuerySet.as_manager()

    class Meta:
        db_table = "badging_badgeprogress"
        verbose_name = _("badge progress")
        verbose_name_plural = _("badge progress")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["user", "template"], name="badging_progress_once")]

    def __str__(self) -> str:
        return f"{self.user} - {self.template}"

    def group_states(self) -> dict[str | int, bool]:
        """Group -> whether one of its requirements is fulfilled. A requirement without a group goes by its id."""
        fulfilled = {row.requirement_id for row in self.fulfillments.all() if row.is_fulfilled}
        states: dict[str | int, bool] = {}
        for requirement in self.template.requirements.all():
            key = requirement.group or requirement.pk
            states[key] = states.get(key, False) or requirement.pk in fulfilled
        return states

    @property
    def ratio(self) -> float:
        """The part of the groups that are fulfilled, 0.0 to 1.0; exactly 1.0 only when all are."""
        states = self.group_states()
        return sum(states.values()) / len(states) if states else 0.0

    @property
    def is_complete(self) -> bool:
        """Whether every group has a fulfilled requirement."""
        states = self.group_states()
        return bool(states) and all(states.values())


class Fulfillment(TimeStamped):
    """The newest word on one requirement of one progress record, and the event that said it.

    A last-writer-wins register on the event's own time: a reset stays as a row with ``is_fulfilled`` false.

    .. pii: What a learner did, and in which course. Deleted with the progress record. Values of personal fields, which
        rules can look at only where the settings allow it, are removed with the learner's retirement.
    .. pii_types: other
    .. pii_retirement: local_api
    """

    progress = models.ForeignKey(
        BadgeProgress, verbose_name=_("progress"), on_delete=models.CASCADE, related_name="fulfillments"
    )
    requirement = models.ForeignKey(
        BadgeRequirement, verbose_name=_("requirement"), on_delete=models.CASCADE, related_name="fulfillments"
    )
    is_fulfilled = models.BooleanField(_("fulfilled"), default=True)
    event_type = models.CharField(_("event type"), max_length=255)
    event_id = models.UUIDField(_("event id"))
    event_time = models.DateTimeField(_("event time"))
    evidence = models.JSONField(
        _("evidence"), default=dict, blank=True, help_text=_("The values of the event that the rules looked at.")
    )

    class Meta:
        db_table = "badging_fulfillment"
        verbose_name = _("fulfilment")
        verbose_name_plural = _("fulfilments")
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["progress", "requirement"], name="badging_fulfillment_once")]

    def __str__(self) -> str:
        return str(self.requirement)
