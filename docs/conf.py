"""Sphinx's configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from badges import __version__

project = "openedx-badges"
author = "The openedx-badges maintainers"
copyright = f"2026, {author}"
version = release = __version__
extensions: list[str] = []
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Badges for Open edX"
nitpicky = True
