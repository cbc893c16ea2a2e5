"""Manage the stand-in: this folder is on the path, and nothing else of the checkout."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "credentials.settings.operator")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
