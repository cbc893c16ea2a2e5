"""A virtual environment of an operator: what the service needs is there, and of this checkout nothing but its wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from attrs import frozen

from demo.paths import TOP

NAME = "openedx-badges"


@frozen
class Environment:
    """A virtual environment with the stand-in host beside it, copied out of the checkout."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "venv" / "bin" / "python")

    @property
    def site(self) -> Path:
        """What is to be on the path besides: the stand-in's filling."""
        return self.folder / "site"

    @property
    def host(self) -> Path:
        """Where the stand-in's ``manage.py`` is."""
        return self.site / "tests" / "host"

    def install(self) -> str:
        """Install the wheel, as an operator does; what it needs has to be there already, in the right versions."""
        return self._pip("install", "--no-index", str(self.wheel))

    def uninstall(self) -> str:
        """Uninstall it."""
        return self._pip("uninstall", "--yes", NAME)

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the interpreter to its end, outside the checkout; what it imports is the environment's."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.host,
            env=self.environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def environment(self, **values: str) -> dict[str, str]:
        """The variables of its processes: none that lead to the checkout."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BADGES_", "PYTEST_", "COV_", "DJANGO_", "VIRTUAL_ENV")) and name != "PYTHONPATH"
        }
        return {**inherited, "PYTHONPATH": str(self.site), "PYTHONUNBUFFERED": "1", **values}

    def _pip(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", "--no-input"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=self.environment(PIP_CONFIG_FILE=os.devnull),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def make_environment(folder: Path, wheel: Path) -> Environment:
    """A virtual environment in which everything is installed that is installed here, except this package.

    Arguments:
        folder: an empty one.
        wheel: what :meth:`Environment.install` installs.
    """
    environment = Environment(folder, wheel)
    venv.EnvBuilder(symlinks=True).create(folder / "venv")
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = folder / "venv" / "lib" / python / "site-packages"
    for source in dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))):
        for entry in Path(source).iterdir():
            if not _is_ours(entry) and not (target / entry.name).exists():
                (target / entry.name).symlink_to(entry)
    ignored = shutil.ignore_patterns("__pycache__", "var")
    environment.host.parent.mkdir(parents=True)
    (environment.host.parent / "__init__.py").touch()
    shutil.copytree(TOP / "tests" / "host", environment.host, ignore=ignored)
    # The anomalies are of accounts and templates of the provider sandbox.
    shutil.copytree(TOP / "demo", environment.site / "demo", ignore=ignored)
    return environment


def _is_ours(entry: Path) -> bool:
    """Whether an entry of ``site-packages`` is of an installation of this package, whatever kind it is."""
    name = entry.name.lower().replace("-", "_")
    if name in ("badges", "__pycache__") or "openedx_badges" in name:
        return True
    # An editable installation under another name.
    return entry.suffix in (".pth", ".egg-link") and str(TOP) in entry.read_text(errors="replace")
