"""Checks of the settings, and of what the app needs of its project and finds in its database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, DatabaseError, router

from badges.checks.addresses import is_loopback, split_address
from badges.conf import GENERAL_SECTIONS, BadgesConfig, get_config
from badges.exceptions import BadgesError, ConfigurationError, RuleError
from badges.issuing.sweep import PATIENCE
from badges.models import Badge, ProviderAccount
from badges.models.fields import encryption_secrets
from badges.providers import registry
from badges.rules.schema import event_schema
from badges.toggles import is_badges_enabled


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """``BADGES_CONFIG`` and what the app needs of its project."""
    switch = getattr(settings, "BADGES_ENABLED", False)
    if not isinstance(switch, bool):
        return [
            Error(
                f"BADGES_ENABLED is {switch!r}, and only True switches the feature on.",
                hint="Set it to True or False; a value from the environment is a text until it is converted.",
                id="badges.E012",
            )
        ]
    if not switch:
        return []
    messages = list(_project())
    try:
        config = get_config()
    except ConfigurationError as error:
        return [*messages, Error(str(error), hint='See "Configuration" in the documentation.', id="badges.E001")]
    databases = [*_shared_databases(settings.DATABASES), *_isolation(settings.DATABASES), *_routers()]
    return [*messages, *databases, *_events(config), *_providers(config), *_deliveries(config)]


def check_accounts(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Accounts in the database whose provider is not there (any more)."""
    if not is_badges_enabled() or not databases:
        return []
    messages: list[CheckMessage] = []
    try:
        found = list(ProviderAccount.objects.order_by().values_list("provider", flat=True).distinct())
    except DatabaseError:
        # Not migrated yet: the migration check says so.
        return []
    for slug in sorted(found):
        try:
            registry.provider_class(slug)
        except BadgesError as error:
            messages.append(
                Error(
                    f'There are accounts of the provider "{slug}", which cannot be used: {error}',
                    hint="Install or register the provider again, or delete its accounts in the admin.",
                    id="badges.E007",
                )
            )
    return messages


def check_sandbox(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """For ``check --deploy``: badges that would be issued at a provider's sandbox."""
    if not is_badges_enabled():
        return []
    try:
        config = get_config()
        using = [slug for slug in registry.registered() if registry.provider_settings(slug).use_sandbox]
    except BadgesError:
        return []
    return [
        Caution(
            f'BADGES_CONFIG["{slug}"]["USE_SANDBOX"] is on: learners would get badges of the sandbox.',
            hint="Switch it off in production.",
            id="badges.W008",
        )
        for slug in using
        if slug in config.sections
    ]


def _project() -> Iterator[CheckMessage]:
    if not apps.is_installed("openedx_events"):
        yield Error(
            "openedx_events is not in INSTALLED_APPS, so there is no consume_events command and no producer.",
            hint='Add "openedx_events" to INSTALLED_APPS.',
            id="badges.E008",
        )
    if not settings.USE_TZ:
        yield Error("USE_TZ is off, but events carry times with a zone.", hint="Set USE_TZ = True.", id="badges.E009")
    for name in ("username", "email"):
        try:
            get_user_model()._meta.get_field(name)
        except FieldDoesNotExist:
            yield Error(
                f'The user model {settings.AUTH_USER_MODEL} has no field "{name}"; learners are found and made by it.',
                hint="Use a user model with this field, for example a subclass of AbstractUser.",
                id="badges.E010",
            )
    try:
        encryption_secrets()
    except ConfigurationError as error:
        yield Error(str(error), hint="Any long random strings do; the first one encrypts.", id="badges.E011")
        return
    if not getattr(settings, "BADGES_ENCRYPTION_KEYS", None):
        yield Caution(
            "Only SECRET_KEY protects the API keys of providers in the database: who changes it loses them.",
            hint="Set BADGES_ENCRYPTION_KEYS to a list with one long random string, then run reencrypt_api_keys.",
            id="badges.W011",
        )


def _routers() -> Iterator[CheckMessage]:
    others = {router.db_for_read(Badge), router.db_for_write(Badge)} - {DEFAULT_DB_ALIAS}
    if others:
        yield Error(
            f"DATABASE_ROUTERS send this app to {', '.join(sorted(others))}. It must read what was written "
            "a moment ago: otherwise penalties find nothing, and awards are made in halves.",
            hint='Have your routers answer "default" for the app label "badges", for reading too.',
            id="badges.E015",
        )


def _deliveries(config: BadgesConfig) -> Iterator[CheckMessage]:
    # A look-up and the call itself, each with a new token at worst, and waiting for its turn below the ceiling.
    longest = 4 * (config.http.connect_timeout + config.http.read_timeout + PATIENCE)
    if config.deliveries.lease < longest:
        yield Caution(
            f'BADGES_CONFIG["deliveries"]["lease"] is {config.deliveries.lease:g} seconds, and the calls of an attempt '
            f"may take {longest:g}: a second worker could begin while the first one still works.",
            hint='Raise the lease, or lower the timeouts in BADGES_CONFIG["http"].',
            id="badges.W009",
        )


def _shared_databases(databases: Mapping[str, Mapping[str, Any]]) -> Iterator[CheckMessage]:
    for alias, database in databases.items():
        mode = str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper()
        if database.get("ENGINE") == "django.db.backends.sqlite3" and mode not in ("IMMEDIATE", "EXCLUSIVE"):
            yield Caution(
                f'The SQLite database "{alias}" opens transactions without a lock, and when several processes write, '
                'some fail with "database is locked".',
                hint='Set OPTIONS to {"transaction_mode": "IMMEDIATE", "timeout": 20}, or use another database.',
                id="badges.W010",
            )


def _isolation(databases: Mapping[str, Mapping[str, Any]]) -> Iterator[CheckMessage]:
    """What is set wins over Django's default for MySQL, which is read committed."""
    alias = router.db_for_write(Badge)
    database = databases.get(alias, {})
    if not str(database.get("ENGINE", "")).endswith("mysql"):
        return
    level = database.get("OPTIONS", {}).get("isolation_level", "read committed")
    if str(level).lower() in ("read committed", "read uncommitted"):
        return
    shown = f'"{level}"' if level else "left to the server, which begins with repeatable read"
    yield Caution(
        f'The isolation level of the MySQL database "{alias}" is {shown}: it then locks the gaps between rows, too, '
        "and consumers that run beside each other deadlock. That is tried again and nothing is lost, but it is slow.",
        hint='Set OPTIONS["isolation_level"] to "read committed", or leave it out: that is what Django uses.',
        id="badges.W014",
    )


def _events(config: BadgesConfig) -> Iterator[CheckMessage]:
    if not config.events:
        yield Error(
            'BADGES_CONFIG["events"] is empty, so nothing can earn a badge.',
            hint="List event types, or leave the key out for the default ones.",
            id="badges.E002",
        )
    for event_type in config.events:
        try:
            schema = event_schema(event_type)
        except RuleError as error:
            yield Error(
                f'BADGES_CONFIG["events"]: {error}',
                hint="Signals of other packages must be imported before, for example in their AppConfig.ready().",
                id="badges.E003",
            )
            continue
        if schema.learner_path is None:
            yield Caution(
                f'BADGES_CONFIG["events"]: events of type {event_type} name no learner: their payload has no UserData '
                "as user or student_user. All of them will be dropped.",
                hint="Remove the type, or choose one whose payload carries the learner.",
                id="badges.W001",
            )


def _providers(config: BadgesConfig) -> Iterator[CheckMessage]:
    known = registry.registered()
    for slug in sorted(set(config.sections) - set(known) - GENERAL_SECTIONS):
        yield Caution(
            f'BADGES_CONFIG["{slug}"] belongs to no provider and has no effect.',
            hint=f"Known providers: {', '.join(sorted(known))}. Is the name misspelt?",
            id="badges.W002",
        )
    for slug in sorted(known):
        try:
            cls = registry.provider_class(slug)
            found = registry.provider_settings(slug)
        except ConfigurationError as error:
            yield Error(
                str(error),
                hint='Correct the path in BADGES_CONFIG["providers"], or the provider\'s section.',
                id="badges.E006",
            )
            continue
        prefix = f"{slug.upper().replace('-', '_')}_{'SANDBOX_' if found.use_sandbox else ''}"
        addresses = {
            f"{prefix}API_BASE_URL": found.api_base_url,
            f"{prefix}BASE_URL": found.base_url,
            f"{prefix}OAUTH_TOKEN_URL": found.address("OAUTH_TOKEN_URL"),
        }
        for key, url in addresses.items():
            yield from _address(slug, key, url, has_default=bool(cls.settings_defaults.get(key)))


def _address(slug: str, key: str, url: str, *, has_default: bool) -> Iterator[CheckMessage]:
    where = f'BADGES_CONFIG["{slug}"]["{key}"]'
    parts = split_address(url)
    if not url:
        if has_default:
            yield Error(f"{where} is empty.", hint="Leave the key out for the default.", id="badges.E004")
    elif parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        yield Error(f"{where} is not a web address.", hint="It must start with https://.", id="badges.E004")
    elif parts.scheme != "https" and not is_loopback(parts.hostname):
        yield Error(
            f"{where} is not HTTPS: API keys and learners' data would cross the network in the clear.",
            hint="Use https://. Plain http:// is accepted for this machine only.",
            id="badges.E005",
        )
