"""Workforce: an organization's employees as its provider knows them, and the badges of theirs that it may see.

The fields are those of Credly's "Employment Created Event Response Example" (Webhooks, Workforce Event Api Responses).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models.accounts import ProviderAccount
from badges.models.base import TimeStamped


class EmployeeRecord(TimeStamped):
    """An employee of a Workforce organization.

    .. pii: What an employer told the provider of an employee. Emptied but for its identifier when the provider deletes
        the record, and with the learner's retirement; but for identifiers and address when the provider shows no more.
        Deleted ``BADGES_CONFIG["retention"]["employees"]`` days after either.
    .. pii_types: id, name, email_address, location, other
    .. pii_retirement: local_api
    """

    account = models.ForeignKey(
        ProviderAccount, verbose_name=_("account"), on_delete=models.CASCADE, related_name="employees"
    )
    employment_id = models.CharField(_("identifier at the provider"), max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="badging_employments",
    )
    email = models.EmailField(_("e-mail address"), blank=True, default="")
    external_id = models.CharField(_("identifier at the employer"), max_length=255, blank=True, default="")
    employed_since = models.DateTimeField(_("record made at"), null=True, blank=True)
    employee_state = models.CharField(_("state of the connection"), max_length=50, blank=True, default="")
    employee_state_updated_at = models.DateTimeField(_("state since"), null=True, blank=True)
    last_invitation_sent_at = models.DateTimeField(_("last invitation sent at"), null=True, blank=True)
    first_name = models.CharField(_("first name"), max_length=255, blank=True, default="")
    last_name = models.CharField(_("last name"), max_length=255, blank=True, default="")
    full_name = models.CharField(_("full name"), max_length=255, blank=True, default="")
    photo_url = models.URLField(_("photo"), max_length=1000, blank=True, default="")
    team = models.CharField(_("team"), max_length=255, blank=True, default="")
    position_title = models.CharField(_("position"), max_length=255, blank=True, default="")
    manager_first_name = models.CharField(_("manager's first name"), max_length=255, blank=True, default="")
    manager_last_name = models.CharField(_("manager's last name"), max_length=255, blank=True, default="")
    manager_external_id = models.CharField(_("manager's identifier"), max_length=255, blank=True, default="")
    country = models.CharField(_("country"), max_length=255, blank=True, default="")
    zip_code = models.CharField(_("postal code"), max_length=50, blank=True, default="")
    state_or_province = models.CharField(_("state or province"), max_length=255, blank=True, default="")
    department = models.CharField(_("department"), max_length=255, blank=True, default="")
    has_provider_user = models.BooleanField(
        _("has an account at the provider"), null=True, blank=True, help_text=_("Empty where the provider did not say.")
    )
    # Only some events say it, so it has a time of its own.
    has_provider_user_at = models.DateTimeField(_("account known since"), null=True, blank=True, editable=False)
    # The time of the newest event that was applied: an older one changes nothing.
    as_of = models.DateTimeField(_("as of"))
    is_minimal = models.BooleanField(
        _("minimal"), default=False, help_text=_("The provider shows no more than the identifiers and the address.")
    )
    deleted_at = models.DateTimeField(_("deleted at the provider at"), null=True, blank=True)
    badges_refreshed_at = models.DateTimeField(_("all badges refreshed at"), null=True, blank=True)

    class Meta:
        db_table = "badging_employeerecord"
        verbose_name = _("employee")
        verbose_name_plural = _("employees")
        ordering = ("account", "last_name", "first_name", "id")
        constraints = [models.UniqueConstraint(fields=["account", "employment_id"], name="badging_employeerecord_once")]
        indexes = [models.Index(fields=["email"], name="badging_employee_email")]

    def __str__(self) -> str:
        return self.full_name or self.external_id or self.employment_id


class EmployeeBadge(models.Model):
    """A badge of an employee, of whatever issuer, that the employer may see.

    .. pii: Which badge an employee has. Deleted, or emptied but for its identifier, when it may not be seen any more;
        deleted when the employee's record is emptied.
    .. pii_types: name, other
    .. pii_retirement: local_api
    """

    employee = models.ForeignKey(
        EmployeeRecord, verbose_name=_("employee"), on_delete=models.CASCADE, related_name="badges"
    )
    external_id = models.CharField(_("identifier at the provider"), max_length=64)
    issued_to = models.CharField(_("issued to"), max_length=255, blank=True, default="")
    issued_to_first_name = models.CharField(_("first name"), max_length=255, blank=True, default="")
    issued_to_middle_name = models.CharField(_("middle name"), max_length=255, blank=True, default="")
    issued_to_last_name = models.CharField(_("last name"), max_length=255, blank=True, default="")
    issued_at = models.DateTimeField(_("issued at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=50, blank=True, default="")
    is_public = models.BooleanField(_("public"), null=True, blank=True)
    url = models.URLField(_("page"), max_length=1000, blank=True, default="")
    template_external_id = models.CharField(_("template's identifier"), max_length=64, blank=True, default="")
    template_name = models.CharField(_("template"), max_length=255, blank=True, default="")
    template_description = models.TextField(_("description"), blank=True, default="")
    template_image_url = models.URLField(_("image"), max_length=1000, blank=True, default="")
    skills = models.JSONField(_("skills"), blank=True, default=list)
    issuer_name = models.CharField(_("issuer"), max_length=255, blank=True, default="")
    issuer_image_url = models.URLField(_("issuer's image"), max_length=1000, blank=True, default="")
    # Of a badge that an event took away without listing the others an empty row stays, for older events that come late.
    is_visible = models.BooleanField(_("visible to the employer"), default=True, editable=False)
    as_of = models.DateTimeField(_("as of"), editable=False)

    class Meta:
        db_table = "badging_employeebadge"
        verbose_name = _("employee's badge")
        verbose_name_plural = _("employees' badges")
        ordering = ("employee", "-issued_at", "id")
        constraints = [models.UniqueConstraint(fields=["employee", "external_id"], name="badging_employeebadge_once")]

    def __str__(self) -> str:
        return self.template_name or self.external_id
