"""Where the world finds this service: the absolute addresses of its own pages, and which badges have some."""

from __future__ import annotations

from django.contrib.sites.models import Site
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from badges.conf import get_config
from badges.exceptions import ConfigurationError
from badges.models import Badge, BadgeTemplate


def is_hosted(badge: Badge) -> bool:
    """Whether a badge is asserted here: not where another system issues it and has a page of it."""
    return _issues_itself(badge.template) or not badge.url


def is_described(template: BadgeTemplate) -> bool:
    """Whether a template has a page here: where badges of it are asserted here, or will be."""
    return _issues_itself(template) or template.badges.filter(url="").exists()


def _issues_itself(template: BadgeTemplate) -> bool:
    return template.account is None or template.account.is_issuing


def base_url() -> str:
    """``public_url`` of the settings, else HTTPS at the current site's domain; ends with a slash.

    Raises:
        ConfigurationError: there is neither.
    """
    if configured := get_config().public_url:
        return configured
    try:
        domain = Site.objects.get_current().domain.strip().strip("/")
    except (ImproperlyConfigured, Site.DoesNotExist):
        domain = ""
    if not domain:
        raise ConfigurationError(
            "It is not known where the world finds this service. "
            'Set BADGES_CONFIG["public_url"] to its address, for example "https://credentials.example.com/".'
        )
    return f"https://{domain}/"


def absolute(name: str, *arguments: object) -> str:
    """The absolute address of a page of this app.

    Arguments:
        name: the page's name, without its namespace.

    Raises:
        ConfigurationError: there is no address of the service, or the project does not include ``badges.urls``.
    """
    try:
        path = reverse(f"badges:{name}", args=arguments)
    except NoReverseMatch as error:
        raise ConfigurationError(
            "The pages of this app have no addresses. "
            'Add path("badges/", include("badges.urls")) to the urlpatterns of the project.'
        ) from error
    return f"{base_url()}{path.lstrip('/')}"
