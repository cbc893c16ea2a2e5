"""What earns a badge and what takes it away: requirements, penalties, and their data rules."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.exceptions import BadgesError
from badges.models.configuration import Configuration
from badges.models.templates import BadgeTemplate
from badges.rules.operators import Operator
from badges.rules.schema import event_schema

OPERATORS = [(Operator.EQ.value, "="), (Operator.NE.value, "≠")]


def validate_event_type(event_type: str) -> None:
    """Refuse an event type that openedx-events does not know.

    Raises:
        ValidationError: with the reason.
    """
    try:
        event_schema(event_type)
    except BadgesError as error:
        raise ValidationError(str(error)) from error


class BadgeRequirement(Configuration):
    """An event that counts towards a badge. Same group: any one suffices; different groups: all are needed.

    A blank group stands alone.

    .. no_pii:
    """

    template = models.ForeignKey(
        BadgeTemplate, verbose_name=_("badge template"), on_delete=models.CASCADE, related_name="requirements"
    )
    event_type = models.CharField(_("event type"), max_length=255, validators=[validate_event_type])
    group = models.CharField(
        _("group"),
        max_length=50,
        blank=True,
        default="",
        help_text=_(
            "Requirements of the same group are alternatives (OR). Different groups are all needed (AND). "
            "A requirement without a group is needed by itself."
        ),
    )
    description = models.TextField(_("description"), blank=True, default="")

    class Meta:
        db_table = "badging_badgerequirement"
        verbose_name = _("badge requirement")
        verbose_name_plural = _("badge requirements")
        ordering = ("template", "group", "id")

    def __str__(self) -> str:
        return self.description or f"{self.event_type} #{self.pk}"

    def clean(self) -> None:
        super().clean()
        self.group = self.group.strip()


class BadgePenalty(Configuration):
    """An event that resets the linked requirements, and takes the badge away if it is no longer complete.

    .. no_pii:
    """

    template = models.ForeignKey(
        BadgeTemplate, verbose_name=_("badge template"), on_delete=models.CASCADE, related_name="penalties"
    )
    event_type = models.CharField(_("event type"), max_length=255, validators=[validate_event_type])
    requirements = models.ManyToManyField(
        BadgeRequirement,
        verbose_name=_("requirements that it resets"),
        related_name="penalties",
        db_table="badging_badgepenalty_requirements",
    )
    description = models.TextField(_("description"), blank=True, default="")

    class Meta:
        db_table = "badging_badgepenalty"
        verbose_name = _("badge penalty")
        verbose_name_plural = _("badge penalties")
        ordering = ("template", "id")

    def __str__(self) -> str:
        return self.description or f"{self.event_type} #{self.pk}"


class AbstractDataRule(Configuration):
    """A condition on one value of an event's payload. All rules of one owner must match.

    .. no_pii:
    """

    data_path = models.CharField(_("key path"), max_length=255)
    operator = models.CharField(_("operator"), max_length=8, choices=OPERATORS, default=Operator.EQ.value)
    value = models.CharField(_("value"), max_length=255)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.data_path} {self.get_operator_display()} {self.value}"

    def check_against(self, event_type: str) -> None:
        """Refuse a path or a value that an event of this type cannot have.

        Raises:
            ValidationError: per field, with the reason.
        """
        try:
            schema = event_schema(event_type)
        except BadgesError as error:
            raise ValidationError({"data_path": str(error)}) from error
        try:
            kind = schema.kind_of(self.data_path)
        except BadgesError as error:
            raise ValidationError({"data_path": str(error)}) from error
        try:
            kind.read(self.value)
        except BadgesError as error:
            raise ValidationError({"value": str(error)}) from error


class DataRule(AbstractDataRule):
    """A rule of a requirement.

    .. no_pii:
    """

    requirement = models.ForeignKey(
        BadgeRequirement, verbose_name=_("requirement"), on_delete=models.CASCADE, related_name="rules"
    )

    class Meta:
        db_table = "badging_datarule"
        verbose_name = _("data rule")
        verbose_name_plural = _("data rules")
        constraints = [
            models.UniqueConstraint(
                fields=["requirement", "data_path", "operator", "value"],
                name="badging_datarule_once",
                violation_error_message=_("This rule is there already."),
            ),
        ]

    def clean(self) -> None:
        super().clean()
        if self.requirement_id and self.requirement.event_type:
            self.check_against(self.requirement.event_type)


class PenaltyDataRule(AbstractDataRule):
    """A rule of a penalty.

    .. no_pii:
    """

    penalty = models.ForeignKey(BadgePenalty, verbose_name=_("penalty"), on_delete=models.CASCADE, related_name="rules")

    class Meta:
        db_table = "badging_penaltydatarule"
        verbose_name = _("penalty data rule")
        verbose_name_plural = _("penalty data rules")
        constraints = [
            models.UniqueConstraint(
                fields=["penalty", "data_path", "operator", "value"],
                name="badging_penaltydatarule_once",
                violation_error_message=_("This rule is there already."),
            ),
        ]

    def clean(self) -> None:
        super().clean()
        if self.penalty_id and self.penalty.event_type:
            self.check_against(self.penalty.event_type)
