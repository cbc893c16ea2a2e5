"""What is shipped: the wheel and the source distribution, built as for a release."""

from __future__ import annotations

import configparser
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

from badges import __version__
from demo.paths import TOP
from tests.acceptance.distributions import build_distributions

pytestmark = pytest.mark.any_database
DATA_FOLDERS = ("locale", "static", "templates")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both distributions; the wheel is made from the source distribution."""
    return build_distributions(tmp_path_factory.mktemp("distributions"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    """The wheel."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as opened:
        yield opened


def test_the_wheel_holds_every_file_of_the_package(wheel):
    expected = {
        path.relative_to(TOP).as_posix()
        for path in (TOP / "badges").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".pyo") and not path.name.startswith(".")
    }
    assert {name for name in wheel.namelist() if name.startswith("badges/")} == expected


def test_the_package_marks_itself_as_typed_and_brings_its_migrations(wheel):
    assert "badges/py.typed" in wheel.namelist()
    assert "badges/migrations/0001_badging.py" in wheel.namelist()


@pytest.mark.parametrize("folder", DATA_FOLDERS)
def test_the_wheel_holds_what_is_not_python(wheel, folder):
    assert [name for name in wheel.namelist() if name.startswith(f"badges/{folder}/")]


def test_the_wheel_holds_nothing_beside_the_package(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"badges", f"openedx_badges-{__version__}.dist-info"}


def test_the_licence_is_named_and_included(wheel):
    info = f"openedx_badges-{__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()


def test_the_source_distribution_can_be_tested(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "demo/__main__.py", "settings_test.py", "tox.ini", "CHANGELOG.rst"} <= names
    assert not [name for name in names if name.startswith(("demo/var", ".venv"))]


def test_the_classifiers_are_the_matrix(wheel):
    metadata = Parser().parsestr(wheel.read(f"openedx_badges-{__version__}.dist-info/METADATA").decode())
    classifiers = metadata.get_all("Classifier", [])
    pythons = {name.rpartition(" ")[2].replace(".", "") for name in classifiers if ":: Python :: 3." in name}
    djangos = {name.rpartition(" ")[2].replace(".", "") for name in classifiers if "Framework :: Django :: " in name}
    tox = configparser.ConfigParser()
    tox.read(TOP / "tox.ini")
    environments = tox["tox"]["envlist"]
    assert pythons == {"311", "312", "313"}
    assert djangos == {"52", "61"}
    assert "py311-django52" in environments
    assert "py{312,313}-django{52,61}" in environments
