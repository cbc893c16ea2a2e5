"""``python -m tests.acceptance.faults [--write]``: play all faults and print the table; or keep it in the docs, too.

On PostgreSQL, unless ``BADGES_TEST_DATABASE_URL`` leads elsewhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.databases import ROOT, URL


def main() -> int:
    """Run the tests of the faults. The table is kept only when all of them have passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.faults", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the table in docs/faults.rst")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-q", "tests/acceptance/faults"]
    if not os.environ.get(URL):
        command = [sys.executable, "-m", "tests.servers", "postgresql", "--", *command]
    return subprocess.run([*command, *(["--write-faults"] if options.write else [])], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
