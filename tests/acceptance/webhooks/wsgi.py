"""The test project for a web server that forks: with all imported that the first request would import."""

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

application = get_wsgi_application()
get_resolver().check()
