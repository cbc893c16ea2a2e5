"""The image of the service with this app in it: what the Dockerfile runs, and when."""

from __future__ import annotations

import shlex
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from badges import __version__
from demo.paths import TOP
from tests.acceptance.deployment.rendering import Rendered
from tests.acceptance.deployment.running import output

pytestmark = pytest.mark.any_database
CONTEXT = "plugins/credentials/build/credentials"
WHEEL = f"openedx_badges-{__version__}-py3-none-any.whl"


def steps(rendered: Rendered) -> list[str]:
    """What the Dockerfile says, an instruction each."""
    text = rendered.text(f"{CONTEXT}/Dockerfile").replace("\\\n", "")
    return [line.strip() for line in text.splitlines() if line and not line.startswith("#")]


def step_with(rendered: Rendered, words: str) -> str:
    """The only instruction with these words."""
    [found] = [step for step in steps(rendered) if words in step]
    return found


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """The folder of the build context, with a wheel in it."""
    name = f"openedx_badges-{__version__}"
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        folder = f"{name}.dist-info"
        wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: openedx-badges\nVersion: {__version__}\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "")
    return tmp_path


def test_the_package_is_installed_from_a_wheel_beside_the_dockerfile_or_from_an_index(plain, large):
    step = step_with(plain, "/badges-requirements")
    assert step.endswith("pip install --find-links=/badges-requirements 'openedx-badges'")
    # The folder that is mounted is part of the build context, whether there is a wheel in it or not.
    assert "--mount=type=bind,source=requirements,target=/badges-requirements" in step
    assert (plain.root / "env" / CONTEXT / "requirements").is_dir()
    assert "'openedx-badges==0.1' 'django-tasks-db[compat]>=" in step_with(large, "/badges-requirements")


def test_it_is_installed_after_what_the_service_requires_and_before_assets_are_collected(rendered):
    all_steps = steps(rendered)
    in_their_order = ("requirements/production.txt", "/badges-requirements", "manage.py collectstatic --noinput")
    places = [all_steps.index(step_with(rendered, words)) for words in in_their_order]
    assert places == sorted(places)


def test_the_settings_that_assets_are_collected_with_have_this_app_and_its_files(plain, environment, tmp_path):
    """They begin with the service's base, and run no hook for finished settings."""
    shutil.copytree(TOP / "tests" / "host" / "credentials", tmp_path / "credentials")
    shutil.copy(TOP / "tests" / "host" / "manage.py", tmp_path)
    settings = tmp_path / "credentials" / "settings"
    shutil.copy(plain.root / "env" / CONTEXT / "assets.py", settings)
    with (settings / "base.py").open("a", encoding="utf-8") as base:
        base.write(f"\nSTATIC_ROOT = {str(tmp_path / 'assets')!r}\n")
    name, value = step_with(plain, "credentials.settings.assets").removeprefix("ENV ").split("=")
    program, *arguments = shlex.split(step_with(plain, "manage.py collectstatic").removeprefix("RUN "))
    assert program == "python3"
    output([sys.executable, *arguments], {**environment, name: value}, tmp_path)
    for path in ("badges/admin.css", "badges/rules.js", "admin/css/base.css"):
        assert (tmp_path / "assets" / path).is_file(), path


@pytest.mark.parametrize("requirement", ["openedx-badges", f"/badges-requirements/{WHEEL}"])
def test_pip_takes_a_wheel_beside_the_dockerfile(plain, requirements, requirement):
    [name, command] = step_with(plain, "/badges-requirements").rsplit("pip", maxsplit=1)
    assert name.startswith("RUN --mount")
    command = command.replace("'openedx-badges'", requirement).replace("/badges-requirements", str(requirements))
    arguments = ["pip", *shlex.split(command), "--no-index", "--dry-run", "--ignore-installed", "--no-deps"]
    assert f"Would install openedx-badges-{__version__}" in output([sys.executable, "-m", *arguments])
