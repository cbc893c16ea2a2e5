"""The built-in module's screens: the lists, as Django makes them."""

from django.apps import apps
from django.contrib import admin

for _model in apps.get_app_config("badges").get_models():
    admin.site.register(_model)
