"""What developers of the service run with."""

import os

from credentials.settings.base import *

DEBUG = True
ALLOWED_HOSTS = ["*"]
DATABASES = {
    "default": {
        "ENGINE": os.environ.get("DB_ENGINE", "django.db.backends.mysql"),
        "NAME": os.environ.get("DB_NAME", "credentials"),
        "USER": os.environ.get("DB_USER", "credentials001"),
        "PASSWORD": os.environ.get("DB_PASSWORD", "password"),
        "HOST": os.environ.get("DB_HOST", "edx.devstack.mysql"),
        "PORT": os.environ.get("DB_PORT", ""),
    }
}
BADGES_ENABLED = os.environ.get("BADGES_ENABLED") == "true"

add_plugins(__name__, PROJECT_TYPE, "devstack")
