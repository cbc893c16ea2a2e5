"""Settings for tests, for ``manage.py`` and for type checks. Not for production."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import unquote, urlsplit

import django

_ENGINES = {"postgres": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}


def _database() -> dict[str, Any]:
    """The database that ``BADGES_TEST_DATABASE_URL`` names; SQLite without it."""
    url = urlsplit(os.environ.get("BADGES_TEST_DATABASE_URL", ""))
    if not url.scheme:
        name = os.environ.get("BADGES_TEST_SQLITE", ":memory:")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": name,
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    options = {"charset": "utf8mb4"} if url.scheme == "mysql" else {}
    return {
        "ENGINE": _ENGINES[url.scheme],
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": options,
    }


SECRET_KEY = "only-for-tests"
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
ALLOWED_HOSTS = ["*"]
SITE_ID = 1
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
DATABASES = {"default": _database()}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "tests.core",
    # Before openedx_events: both have a command consume_events, and Django takes that of the earlier one.
    "badges",
    "openedx_events",
]
if "BADGES_TEST_CRASHING" in os.environ:
    INSTALLED_APPS.append("tests.crashing")
AUTH_USER_MODEL = "core.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

BADGES_ENABLED = os.environ.get("BADGES_TEST_ENABLED", "1") == "1"
BADGES_CONFIG: dict[str, Any] = json.loads(os.environ.get("BADGES_TEST_CONFIG", "{}"))
BADGES_ENCRYPTION_KEYS = ["only-for-tests-too"]

EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer"
EVENT_BUS_CONSUMER = os.environ.get("BADGES_TEST_CONSUMER", "badges.eventbus.redis.DurableConsumer")
EVENT_BUS_REDIS_CONNECTION_URL = os.environ.get("BADGES_TEST_REDIS_URL", "redis://127.0.0.1:6379/0?socket_timeout=90")
EVENT_BUS_TOPIC_PREFIX = "test"
# Only the tests with a real Redis put badge signals on a bus.
EVENT_BUS_PRODUCER_CONFIG = {
    event_type: {
        "learning-badges-lifecycle": {
            "event_key_field": "badge.uuid",
            "enabled": "BADGES_TEST_REDIS_URL" in os.environ,
        }
    }
    for event_type in ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1")
}

# Only the tests of task engines set it; without it tasks run in the process itself.
if _engine := os.environ.get("BADGES_TEST_TASKS", ""):
    _apps = {"db": ["django_tasks_db"], "rq": ["django_rq", "django_tasks_rq"], "none": []}[_engine]
    _backend = {
        "db": "django_tasks_db.DatabaseBackend",
        "rq": "django_tasks_rq.RQBackend",
        # Nobody carries tasks out, as when their engine is away: all is left to the sweep.
        "none": f"django{'.' if django.VERSION >= (6, 0) else '_'}tasks.backends.dummy.DummyBackend",
    }[_engine]
    INSTALLED_APPS += _apps
    TASKS = {"default": {"BACKEND": _backend, "QUEUES": ["default"]}}
    RQ_QUEUES = {"default": {"URL": EVENT_BUS_REDIS_CONNECTION_URL}}
