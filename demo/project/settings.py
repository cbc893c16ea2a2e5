"""Settings of the demo: the app installed and configured as in a real service, at servers on this machine."""

from __future__ import annotations

import json
from typing import Any

from demo.paths import RUN, VAR


def _servers() -> dict[str, str]:
    """Where the servers of the present run are; ``python -m demo`` writes it, so that every command finds them."""
    if not RUN.exists():
        return {"redis": "redis://127.0.0.1:6379/0?socket_timeout=90", "sandbox": "http://127.0.0.1:8765"}
    servers: dict[str, str] = json.loads(RUN.read_text(encoding="utf-8"))
    return servers


SERVERS = _servers()
VAR.mkdir(parents=True, exist_ok=True)

SECRET_KEY = "only-for-the-demo"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
SITE_ID = 1
ROOT_URLCONF = "demo.project.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "demo.sqlite3",
        # Several processes write: each waits for its turn, and readers wait for nobody.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    # Before openedx_events: both have a command consume_events, and Django takes that of the earlier one.
    "badges",
    "openedx_events",
]
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
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)-8s %(name)s: %(message)s"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": VAR / "django.log", "formatter": "line"}},
    "root": {"handlers": ["file"], "level": "INFO"},
    # The development server logs the address of every request, and those of webhooks hold a secret.
    "loggers": {"django.server": {"level": "CRITICAL", "propagate": False}},
}

BADGES_ENABLED = True
BADGES_ENCRYPTION_KEYS = ["only-for-the-demo-too"]
BADGES_CONFIG = {
    "events": [
        "org.openedx.learning.course.passing.status.updated.v1",
        "org.openedx.learning.ccx.course.passing.status.updated.v1",
    ],
    # Nobody wants to watch a demo wait.
    "consumer": {"sweep_every": 1},
    "credly": {
        "CREDLY_SANDBOX_BASE_URL": f"{SERVERS['sandbox']}/credly/",
        "CREDLY_SANDBOX_API_BASE_URL": f"{SERVERS['sandbox']}/credly/v1/",
        "USE_SANDBOX": True,
    },
    "accredible": {
        "ACCREDIBLE_SANDBOX_BASE_URL": f"{SERVERS['sandbox']}/accredible/",
        "ACCREDIBLE_SANDBOX_API_BASE_URL": f"{SERVERS['sandbox']}/accredible/v1/",
        "USE_SANDBOX": True,
    },
}

EVENTS_SERVICE_NAME = "demo"
EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer"
EVENT_BUS_CONSUMER = "badges.eventbus.redis.DurableConsumer"
EVENT_BUS_REDIS_CONNECTION_URL = SERVERS["redis"]
EVENT_BUS_PRODUCER_CONFIG = {
    "org.openedx.learning.badge.awarded.v1": {
        "learning-badges-lifecycle": {"event_key_field": "badge.uuid", "enabled": BADGES_ENABLED},
    },
    "org.openedx.learning.badge.revoked.v1": {
        "learning-badges-lifecycle": {"event_key_field": "badge.uuid", "enabled": BADGES_ENABLED},
    },
}
