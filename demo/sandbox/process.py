"""Starts the sandbox as a process of its own, for tests and for the demonstration."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.sandbox.__main__ import READY
from demo.sandbox.messages import Json

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers, and its controls."""

    url: str
    """Where it is, without a slash at the end."""
    process: subprocess.Popen[str]

    @property
    def credly_api_url(self) -> str:
        """The base URL of Credly's API."""
        return f"{self.url}/credly/v1/"

    @property
    def accredible_api_url(self) -> str:
        """The base URL of Accredible's API."""
        return f"{self.url}/accredible/v1/"

    @property
    def badgekit_api_url(self) -> str:
        """The base URL of BadgeKit's API."""
        return f"{self.url}/badgekit/"

    def badges_config(self) -> dict[str, dict[str, Any]]:
        """The sections of ``BADGES_CONFIG`` that lead all providers here, with ``USE_SANDBOX`` on or off."""
        urls = {
            "credly": {
                "BASE_URL": f"{self.url}/credly/",
                "API_BASE_URL": self.credly_api_url,
                "OAUTH_TOKEN_URL": f"{self.url}/credly/oauth/token",
            },
            "accredible": {"BASE_URL": f"{self.url}/accredible/", "API_BASE_URL": self.accredible_api_url},
            "badgekit": {"BASE_URL": self.badgekit_api_url, "API_BASE_URL": self.badgekit_api_url},
        }
        return {
            slug: {f"{slug.upper()}_{prefix}{kind}": url for prefix in ("", "SANDBOX_") for kind, url in kinds.items()}
            for slug, kinds in urls.items()
        }

    def state(self) -> Json:
        """Everything that it holds; see ``GET /_sandbox/state``."""
        return self.control("GET", "state")

    def fault(self, kind: str, **values: Any) -> Json:
        """Switch a fault on; for the values see :class:`demo.sandbox.faults.Fault`."""
        return self.control("POST", "faults", {"kind": kind, **values})

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.control("DELETE", "faults")

    def reset(self, seed: Json | None = None) -> None:
        """Start from the seed again, or from another one, without faults."""
        self.control("POST", "reset", seed)

    def accept(self, badge_id: str) -> Json:
        """The learner accepts a pending Credly badge."""
        return self.control("POST", f"badges/{badge_id}/accept")

    def reject(self, badge_id: str) -> Json:
        """The learner rejects a pending Credly badge."""
        return self.control("POST", f"badges/{badge_id}/reject")

    def revoke_badge(self, badge_id: str) -> Json:
        """Somebody revokes a badge on Credly's pages."""
        return self.control("POST", f"badges/{badge_id}/revoke")

    def delete_badge(self, badge_id: str) -> Json:
        """Somebody deletes a Credly badge."""
        return self.control("DELETE", f"badges/{badge_id}")

    def set_public(self, badge_id: str, *, public: bool) -> Json:
        """The learner shows a Credly badge to everybody, or hides it."""
        return self.control("POST", f"badges/{badge_id}/privacy", {"public": public})

    def webhooks(self, **options: Any) -> Json:
        """How webhooks are sent, and what was; with options, changes them: :class:`demo.sandbox.outbox.Options`."""
        return self.control("POST", "webhooks", options) if options else self.control("GET", "webhooks")

    def set_webhook_url(self, organization_id: str, url: str, allowed: Sequence[str] = ()) -> None:
        """Where Credly posts an organization's events, and which; empty for nowhere, and for all."""
        values = {"webhook_url": url, "allowed_webhooks": list(allowed)}
        self.control("POST", f"organizations/{organization_id}", values)

    def many(self, calls: Sequence[Json]) -> list[Json]:
        """Several calls of the control API at once, each with ``method``, ``path``, ``body``; gives their answers."""
        found: list[Json] = self.control("POST", "many", {"calls": list(calls)})["answers"]
        return found

    def expire_credential(self, credential_id: str, on: str | None) -> Json:
        """Somebody lets an Accredible credential expire on a day (YYYY-MM-DD), or not at all."""
        return self.control("POST", f"credentials/{credential_id}", {"expired_on": on})

    def delete_credential(self, credential_id: str) -> Json:
        """Somebody deletes an Accredible credential."""
        return self.control("DELETE", f"credentials/{credential_id}")

    def expire_credly_token(self, organization_id: str, *, expired: bool = True) -> None:
        """Have an organization's token and OAuth client refused; or, with ``expired=False``, accepted again."""
        self.control("POST", f"organizations/{organization_id}", {"expired": expired})

    def expire_accredible_key(self, account_id: int, *, expired: bool = True) -> None:
        """Have an account's key refused; or, with ``expired=False``, accepted again."""
        self.control("POST", f"accounts/{account_id}", {"expired": expired})

    def change_credly_token(self, organization_id: str, token: str) -> None:
        """Give an organization another token; the one before is refused."""
        self.control("POST", f"organizations/{organization_id}", {"token": token})

    def change_accredible_key(self, account_id: int, key: str) -> None:
        """Give an account another key; the one before is refused."""
        self.control("POST", f"accounts/{account_id}", {"key": key})

    def revoke_oauth_tokens(self, *, expires_in: int | None = None) -> None:
        """End all OAuth tokens; those given from now on last ``expires_in`` seconds, if so wished."""
        self.control("POST", "oauth", {"revoke": True, **({} if expires_in is None else {"expires_in": expires_in})})

    def control(self, method: str, path: str, body: Json | None = None) -> Json:
        """A call of the control API.

        Raises:
            ValueError: the sandbox refused it; the text says why.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found: Json = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"The sandbox refused {method} {path}: {error.read().decode()}") from None


@contextmanager
def running_sandbox(seed: Json | None = None, *, port: int = 0, log: Path | None = None) -> Iterator[RunningSandbox]:
    """A sandbox in a process of its own, stopped at the end; it also ends when this process dies.

    Arguments:
        seed: what is there at the start; by default :func:`demo.sandbox.seed.default_seed`.
        port: the port; 0 takes a free one.
        log: a file for what it prints, request by request; by default nothing is kept.

    Raises:
        RuntimeError: it did not start; the text holds what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "demo.sandbox", "--port", str(port), "--until-input-ends"]
        if seed is not None:
            path = Path(folder, "seed.json")
            path.write_text(json.dumps(seed), encoding="utf-8")
            command += ["--seed", str(path)]
        errors = log or Path(folder, "errors")
        command += ["--verbose"] if log else []
        with (
            errors.open("w", encoding="utf-8") as stderr,
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
            ) as process,
        ):
            try:
                url = _wait_until_ready(process)
                if not url:
                    raise RuntimeError(f"The provider sandbox did not start. {errors.read_text(encoding='utf-8')}")
                yield RunningSandbox(url, process)
            finally:
                _stop(process)


def _wait_until_ready(process: subprocess.Popen[str]) -> str:
    # Killed when the time is over, so that reading the line ends in any case.
    guard = threading.Timer(START_TIMEOUT, process.kill)
    guard.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        guard.cancel()
    return line.removeprefix(READY).strip().rstrip("/") if line.startswith(READY) else ""


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
