"""A stand-in for the Credentials service, run with settings that were rendered for it.

``python service.py SETTINGS DATABASE DO ...`` prints JSON. The service's own settings are those of ``tests/host``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

NAME = "rendered_settings"


def load_settings(path: str, database: str) -> types.ModuleType:
    """Execute rendered settings as the module that Django uses; only the database is another one."""
    utils = types.ModuleType("credentials.settings.utils")
    # A helper of the service that only Tutor's settings call.
    utils.get_logger_config = lambda **_: {  # type: ignore[attr-defined]
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}, "local": {"class": "logging.NullHandler"}},
        "loggers": {"": {"handlers": ["console", "local"], "level": "WARNING"}},
    }
    sys.modules[utils.__name__] = utils
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    module.DATABASES = {  # type: ignore[attr-defined]
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": database,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    }
    if url := os.environ.get("SERVICE_REDIS_URL"):
        module.EVENT_BUS_REDIS_CONNECTION_URL = url  # type: ignore[attr-defined]
    os.environ["DJANGO_SETTINGS_MODULE"] = NAME
    return module


def describe() -> dict[str, Any]:
    """What the settings are, and what Django's checks say."""
    from django.conf import settings
    from django.core import checks
    from edx_event_bus_redis.internal.config import get_full_topic

    names = [name for name in dir(settings) if name.startswith(("BADGES_", "EVENT_BUS_", "TASKS"))]
    return {
        "settings": {name: getattr(settings, name) for name in names},
        "apps": list(settings.INSTALLED_APPS),
        "stream": get_full_topic("learning-badges-lifecycle"),
        "checks": [f"{one.id}: {one.msg}" for one in checks.run_checks() if one.level >= checks.WARNING],
    }


def parse(commands: list[list[str]]) -> list[dict[str, Any]]:
    """Read command lines with the commands' own parsers.

    A wrong one ends the process, with what is wrong.
    """
    from django.core.management import get_commands, load_command_class

    from badges.eventbus.redis.options import read_options

    read = []
    for program, name, *arguments in commands:
        assert program == "manage.py"
        command = load_command_class(get_commands()[name], name)
        options = vars(command.create_parser(program, name).parse_args(arguments))
        if name == "consume_events":
            extra = json.loads(options["extra"])
            options["consumer_name"] = read_options(options["topic"][0], options["group_id"][0], extra).consumer_name
        read.append({"command": name, "module": type(command).__module__, **options})
    return read


def main(settings: str, database: str, do: str, *arguments: str) -> None:
    """Do one thing."""
    load_settings(settings, database)
    from django.core.management import execute_from_command_line

    if do == "manage":
        execute_from_command_line(["manage.py", *arguments])
        return
    import django

    django.setup()
    answer = describe() if do == "describe" else parse(json.loads(arguments[0]))
    print(json.dumps(answer, default=str))  # noqa: T201


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "host"))
    main(*sys.argv[1:])
