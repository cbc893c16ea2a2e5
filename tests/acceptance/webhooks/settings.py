"""The test project as a web server has it: connections are kept, and SQLite's readers wait for nobody."""

from settings_test import *  # noqa: F403 - all of them, and a little more
from settings_test import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 60
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Durable where a process is killed, which is what is done here; not where the power fails.
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
