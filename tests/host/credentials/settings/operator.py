"""An operator's own settings, on top of the service's: as Tutor renders them, read after all plugins' hooks."""

from credentials.settings.production import *

BADGES_ENABLED = True
