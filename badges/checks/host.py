"""Checks of the Credentials service: whether this app is there in the place of the built-in one, wholly or in part.

That both are installed cannot be told here: Django starts with one app of a label. See ``badges.host.settings``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.urls import Resolver404, resolve, reverse
from django.urls.exceptions import NoReverseMatch

from badges.host import builtin_urls, installed, names
from badges.host.adoption import tables
from badges.host.settings import BY_HAND, SWITCH, has_replaced, is_wanted
from badges.models import AdoptedRow
from badges.toggles import is_badges_enabled


def check_host(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What the Credentials service has of us, and what we find in it."""
    if not installed.is_host():
        return []
    messages = list(_switch())
    return [*messages, *_order(), *_records()] if is_badges_enabled() else messages


def check_host_addresses(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Whether the built-in module's addresses are served in the place of ours."""
    if not (is_badges_enabled() and installed.is_host() and _serves_built_in_addresses()):
        return []
    return [
        Error(
            f"The addresses below badges/ are those of the built-in module ({builtin_urls.REPLACED}), whose models are "
            "not installed: what providers send is lost.",
            hint="Something imports that module before the apps are ready. Have it done later, or include badges.urls "
            "in a ROOT_URLCONF of your own instead of it.",
            id="badges.E017",
        )
    ]


def check_host_data(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Whether the tables are there, and what the built-in module has left in its own."""
    if not (databases and is_badges_enabled() and installed.is_host()):
        return []
    try:
        return list(_data())
    except DatabaseError:
        # A database that cannot be asked tells so by itself.
        return []


def _switch() -> Iterator[CheckMessage]:
    try:
        is_late = has_replaced() is True and not is_wanted(settings)
    except ImproperlyConfigured as error:
        yield Error(str(error), hint="Correct it, or take it out: the hook ran before.", id="badges.E019")
        return
    if is_late:
        yield Caution(
            f"{SWITCH} is off, and this app is in the place of the built-in one all the same: the plugin's hook had "
            "read the switch before it was set.",
            hint=f"Set it in the YAML file of the service, or as an environment variable: {SWITCH}=False. To keep this "
            "app, take the setting out.",
            id="badges.W021",
        )


def _order() -> Iterator[CheckMessage]:
    entries: list[str] = list(settings.INSTALLED_APPS)
    own, events = names.among(names.OWN_NAMES, entries), names.among(names.OPENEDX_EVENTS_NAMES, entries)
    if own and events and entries.index(events[0]) < entries.index(own[0]):
        yield Caution(
            "openedx_events stands before this app in INSTALLED_APPS: ./manage.py consume_events is its command, and a "
            "producer configuration that this app completes comes too late for it.",
            hint=f"Put this app first: {BY_HAND}",
            id="badges.W022",
        )


def _records() -> Iterator[CheckMessage]:
    if reason := installed.why_no_user_credential():
        yield Error(
            f"{reason} So badges are awarded without the service's own record of them.",
            hint="Install a version of this app that knows this version of the service, then complete the records: "
            "./manage.py adopt_builtin_badges --apply.",
            id="badges.E018",
        )


def _data() -> Iterator[CheckMessage]:
    present = installed.tables()
    if missing := _own_tables() - present:
        found = (
            "Those of the built-in module are there, and are not used."
            if installed.BUILT_IN_TEMPLATES in present
            else "Neither are those of the built-in module."
        )
        yield Caution(
            f"Tables of this app are missing ({len(missing)}), so no event can be processed. {found}",
            hint="Make them: ./manage.py migrate badges. They do not collide with those of the built-in module.",
            id="badges.W023",
        )
    elif (
        installed.BUILT_IN_TEMPLATES in present
        and tables.BadgeTemplate._default_manager.exists()
        and not AdoptedRow.objects.exists()
    ):
        yield Info(
            "The built-in module has left badge templates in its tables, and nothing of it was adopted yet.",
            hint="See what there is: ./manage.py adopt_builtin_badges. Then adopt it: with --apply. If nothing of it "
            "is wanted, silence this message.",
            id="badges.I002",
        )


def _own_tables() -> set[str]:
    models = apps.get_app_config("badges").get_models()
    return {model._meta.db_table for model in models if model._meta.managed and not model._meta.proxy}


def _serves_built_in_addresses() -> bool:
    if builtin_urls.genuine() is not None:
        return True
    try:
        view = resolve(reverse("badges:credly-webhook")).func
    except (NoReverseMatch, Resolver404):
        # Another check tells that there are no addresses.
        return False
    return view.__module__.startswith(f"{names.BUILT_IN}.")
