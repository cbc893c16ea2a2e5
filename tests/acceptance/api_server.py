"""The REST API for a web server of its own: as many requests as are wanted, and files where the test finds them."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings_test")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"badges": None, "badges_applying": None}}
settings.MEDIA_ROOT = os.environ["BADGES_TEST_MEDIA"]
application = get_wsgi_application()
