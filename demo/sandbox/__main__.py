"""``python -m demo.sandbox``: start the provider sandbox as a process."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from demo.sandbox import seed
from demo.sandbox.server import SandboxServer

READY = "Provider sandbox ready at "

DESCRIPTION = """\
A local server that behaves as the documents say Credly, Accredible and BadgeKit do: templates and groups, issuing,
duplicates, revocation, expiry, paging, authentication, events, webhooks, and faults to switch on. Everything is in
memory.

  Credly      CREDLY_API_BASE_URL      = http://HOST:PORT/credly/v1/
              CREDLY_OAUTH_TOKEN_URL   = http://HOST:PORT/credly/oauth/token
  Accredible  ACCREDIBLE_API_BASE_URL  = http://HOST:PORT/accredible/v1/
  BadgeKit    BADGEKIT_API_BASE_URL    = http://HOST:PORT/badgekit/
"""
EPILOG = f"""\
seeded accounts:
  Credly organization {seed.ORGANIZATION_ID}, token {seed.ORGANIZATION_TOKEN}
    or OAuth client {seed.CLIENT_ID}, secret {seed.CLIENT_SECRET}
  Credly organization {seed.LARGE_ORGANIZATION_ID}, token {seed.LARGE_ORGANIZATION_TOKEN}: {seed.MANY} templates
  Accredible key {seed.ACCREDIBLE_KEY}
  Accredible key {seed.LARGE_ACCREDIBLE_KEY}: {seed.MANY} groups, no credits
  BadgeKit system {seed.BADGEKIT_SYSTEM}, key {seed.BADGEKIT_KEY}, secret {seed.BADGEKIT_SECRET}
    or key master, secret {seed.BADGEKIT_MASTER_SECRET}
  BadgeKit system {seed.LARGE_BADGEKIT_SYSTEM}, key master: {seed.MANY} badges

examples:
  curl http://127.0.0.1:8765/_sandbox/state
  curl -X POST http://127.0.0.1:8765/_sandbox/faults -d '{{"kind": "status", "status": 429, "count": 3}}'
  curl -X POST http://127.0.0.1:8765/_sandbox/faults -d '{{"kind": "drop", "after_commit": true, "path": "/badges$"}}'
  curl -X DELETE http://127.0.0.1:8765/_sandbox/faults
"""


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo.sandbox",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="the port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--seed", type=Path, metavar="FILE", help="a JSON file of what is there at the start")
    parser.add_argument(
        "--print-seed", action="store_true", help="print the default seed, to start a file from; then end"
    )
    parser.add_argument("--until-input-ends", action="store_true", help="end when standard input is closed")
    parser.add_argument("--verbose", action="store_true", help="print each request, on standard error")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Returns:
        The exit code: 0, or 2 where the seed or the address cannot be used.
    """
    options = _arguments(arguments)
    if options.print_seed:
        print(seed.dump(seed.default_seed()))
        return 0
    try:
        start = seed.read_seed(options.seed) if options.seed else seed.default_seed()
        server = SandboxServer((options.host, options.port), start, verbose=options.verbose)
    except (ValueError, OSError, OverflowError) as error:
        print(
            f"The provider sandbox cannot start at {options.host}:{options.port}: {error}. "
            "--port chooses another port, --seed another seed.",
            file=sys.stderr,
        )
        return 2

    def stop(number: int, frame: object) -> None:
        # A second signal within Event.set() would wait for a lock that this very thread holds.
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        server.stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if options.until_input_ends:
        threading.Thread(target=_watch_input, args=(server.stopping,), daemon=True).start()
    with server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        print(f"{READY}{server.base_url}", flush=True)
        if sys.stdout.isatty():
            print(f"\n{DESCRIPTION}\n{EPILOG}\nCtrl-C ends it.", flush=True)
        server.stopping.wait()
        server.shutdown()
        serving.join()
    return 0


def _watch_input(stopping: threading.Event) -> None:
    # Not through sys.stdin: its lock, held here for ever, would abort the interpreter at its end.
    while os.read(0, 4096):
        pass
    stopping.set()


if __name__ == "__main__":
    sys.exit(main())
