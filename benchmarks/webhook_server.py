"""The measured project for a web server that forks: connections are kept, and no request has to import anything."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings_test")

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

settings.DATABASES["default"]["CONN_MAX_AGE"] = 60
application = get_wsgi_application()
get_resolver().check()
