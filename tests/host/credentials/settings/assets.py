"""What an image is built with, as Tutor's: static files are collected, and there is no YAML file yet."""

from credentials.settings.base import *

COMPRESS_ENABLED = True
COMPRESS_OFFLINE = True
