"""Write the OpenAPI document of the REST API to docs/openapi.yaml."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "openapi.yaml"
SERVER = "/badges/api/v1"


def made() -> str:
    """The document of the test project: with DRF's own ways to log in."""
    from badges.rest_api.v1.operations import document_of
    from badges.rest_api.v1.schema import as_yaml
    from badges.rest_api.v1.urls import router

    return as_yaml(document_of(router.urls, SERVER, quietly=False))


def main() -> None:
    """Write it."""
    import django

    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings_test")
    django.setup()
    FILE.write_text(made(), encoding="utf-8")
    print(f"Written: {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
