"""The source distribution and the wheel, built as for a release."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from demo.paths import TOP


def build_distributions(folder: Path) -> Path:
    """Build both; the wheel is made from the source distribution. Gives the folder that they are in.

    Arguments:
        folder: an empty one.
    """
    source = folder / "checkout"
    # A build leaves files behind, which do not belong into the checkout.
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "var", "__pycache__")
    shutil.copytree(TOP, source, ignore=ignored)
    built = folder / "dist"
    # What a build needs is installed already, and no test reaches the network.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return built
