"""What the service runs with: a YAML file, whose path is in ``CREDENTIALS_CFG``, over the base."""

import os

import yaml

from credentials.settings.base import *

# These are merged with the base's; any other dictionary of the file replaces it.
DICT_UPDATE_KEYS = ("JWT_AUTH",)

with open(os.environ["CREDENTIALS_CFG"], encoding="utf-8") as _file:
    _from_yaml = yaml.safe_load(_file)
for _key in DICT_UPDATE_KEYS:
    vars().setdefault(_key, {}).update(_from_yaml.pop(_key, {}))
vars().update(_from_yaml)
INSTALLED_APPS.extend(_from_yaml.get("EXTRA_APPS", []))

add_plugins(__name__, PROJECT_TYPE, "production")
