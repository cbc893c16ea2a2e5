"""What the service's own tests run with."""

import os

from credentials.settings.base import *

ALLOWED_HOSTS = ["*"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DB_NAME", ":memory:")}}

add_plugins(__name__, PROJECT_TYPE, "test")
