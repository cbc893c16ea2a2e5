"""The demo: servers, a configured project, learners who do things, and what comes of it.

``python -m demo`` exits with 0 when everything came out as it must; ``--keep`` leaves it running, with the admin.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence

from demo import report
from demo.paths import LOCK, RUN, VAR
from demo.processes import ProcessFailed, TimedOut, ended_like_ctrl_c
from demo.redis import find_server, redis_server
from demo.sandbox.process import RunningSandbox, running_sandbox


def main(arguments: Sequence[str]) -> int:
    """Run the demo; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Events in, badges out, on this machine.")
    parser.add_argument("--keep", action="store_true", help="keep everything running, with the admin, until Ctrl-C")
    options = parser.parse_args(arguments)
    complete = False
    try:
        with ended_like_ctrl_c(), contextlib.ExitStack() as stack:
            print(report.styled("Badges for Open edX: events in, badges out", "bold"))
            report.step(1, "Servers")
            stack.enter_context(_empty_folder())
            sandbox = stack.enter_context(_servers())
            _set_django_up()
            from demo import steps

            running = steps.run(stack, sandbox)
            complete = True
            if options.keep:
                steps.keep(sandbox, running)
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
        return 0 if complete else 130
    except (ProcessFailed, TimedOut, RuntimeError) as failure:
        print(f"\nThe demo failed. {failure}\nLogs: {VAR}", file=sys.stderr, flush=True)
        return 1
    return 0


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    """The folder for the run, without what the run before left, and for this run alone.

    Raises:
        ProcessFailed: another demo uses it.
    """
    VAR.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProcessFailed("Another demo is running here. Stop it first.") from error
        for left in VAR.iterdir():
            if left != LOCK:
                left.unlink()
        yield


@contextlib.contextmanager
def _servers() -> Iterator[RunningSandbox]:
    """Redis, and the provider sandbox.

    Raises:
        ProcessFailed: Redis did not start.
        RuntimeError: the sandbox did not start.
    """
    with redis_server(VAR / "redis.log") as redis_url, running_sandbox(log=VAR / "sandbox.log") as sandbox:
        RUN.write_text(json.dumps({"redis": redis_url, "sandbox": sandbox.url}), encoding="utf-8")
        report.pairs(
            [
                ("Redis", f"{redis_url.partition('?')[0]}  ({find_server()})"),
                ("Provider sandbox", f"{sandbox.url}/"),
                ("Database and logs", str(VAR)),
            ]
        )
        yield sandbox


def _set_django_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "demo.project.settings"
    import django
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("admin", "admin@example.com", "admin")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
