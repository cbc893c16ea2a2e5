"""Where a run of the demo leaves things."""

import os
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("BADGES_DEMO_VAR", TOP / "demo" / "var"))
"""Everything that a run leaves: the database, the logs, and where the servers are."""
RUN = VAR / "run.json"
LOCK = VAR / "lock"
