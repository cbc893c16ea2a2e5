"""Tutor's environment with our plugin, as ``tutor config save`` makes it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from demo.paths import TOP
from tests.acceptance.deployment.running import output

DEPLOYMENT = TOP / "docs" / "deployment"
PREFIX = "credentials-badges-"
"""The names of all processes of ours begin with it."""


@frozen
class Rendered:
    """One environment."""

    root: Path

    def text(self, path: str) -> str:
        return (self.root / "env" / path).read_text(encoding="utf-8")

    def services(self, context: str = "local") -> dict[str, dict[str, Any]]:
        """The services of Compose, by name; of ``dev``, what it adds to those of ``local``."""
        services: dict[str, dict[str, Any]] = yaml.safe_load(self.text(f"{context}/docker-compose.yml"))["services"]
        return services

    def manifests(self, name: str) -> list[dict[str, Any]]:
        """The Kubernetes resources of one file."""
        return [one for one in yaml.safe_load_all(self.text(f"k8s/{name}.yml")) if one]

    def ours(self) -> dict[str, dict[str, Any]]:
        """The Kubernetes resources of this plugin, by name."""
        resources = {one["metadata"]["name"]: one for one in self.manifests("deployments")}
        return {name: resource for name, resource in resources.items() if name.startswith(PREFIX)}


def tutor(root: Path, *arguments: str) -> str:
    """Run Tutor in a folder of its own, and give what it printed."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "LANG": "C.UTF-8",
        "TUTOR_ROOT": str(root),
        "TUTOR_PLUGINS_ROOT": str(root / "plugins"),
    }
    program = Path(sys.executable).with_name("tutor")
    return output([sys.executable, "-W", "ignore", str(program), *arguments], environment)


def render(root: Path, **settings: object) -> Rendered:
    """What an operator has after copying the plugin, enabling it, and saving these settings."""
    plugins = root / "plugins"
    plugins.mkdir(parents=True)
    shutil.copy(DEPLOYMENT / "tutor" / "badges.py", plugins)
    tutor(root, "plugins", "enable", "mfe", "discovery", "credentials", "badges")
    given = [f"--set={name}={yaml.safe_dump(value, default_flow_style=True)}" for name, value in settings.items()]
    tutor(root, "config", "save", *(value.removesuffix("...\n").strip() for value in given))
    return Rendered(root)


def pod_of(resource: dict[str, Any]) -> dict[str, Any]:
    """The specification of the pods of a Deployment or a CronJob."""
    spec = resource["spec"]
    if resource["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod: dict[str, Any] = spec["template"]["spec"]
    return pod


def container_of(resource: dict[str, Any]) -> dict[str, Any]:
    """Its only container."""
    [container] = pod_of(resource)["containers"]
    assert isinstance(container, dict)
    return container


def seconds(text: str) -> int:
    """What ``30s``, ``2min`` or ``1h`` is; a number alone is seconds."""
    for unit, length in (("min", 60), ("s", 1), ("h", 3600)):
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * length
    return int(text)
