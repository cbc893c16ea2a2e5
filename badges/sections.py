"""The sections of ``BADGES_CONFIG`` as frozen objects, with their defaults. They are read by :mod:`badges.conf`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

AT_PROVIDER = ("keep", "revoke", "delete")
"""What can become of a retired learner's badges at their providers."""


@frozen
class RateSettings:
    """The ceiling of calls to one account, shared by all workers: ``calls`` in ``seconds``.

    An attempt that has begun goes on beyond it, and later ones wait for that: the average stays below the ceiling.
    Accredible documents 2,000 calls in 5 minutes, counted in periods of 30 seconds; Credly documents no number.
    """

    calls: float = 150.0
    seconds: float = 30.0


@frozen
class ProviderSettings:
    """One provider's section of ``BADGES_CONFIG``, with the sandbox toggle applied."""

    slug: str
    base_url: str
    """The provider's pages for people; ends with a slash."""
    api_base_url: str
    """The provider's API; ends with a slash."""
    use_sandbox: bool
    preconfigured_keys: Mapping[str, str] = field(factory=dict, repr=False)
    """``ORGANIZATIONS``: external id of an account, in lower case -> API key that comes from the settings."""
    rate: RateSettings = RateSettings()
    others: Mapping[str, Any] = field(factory=dict, repr=False)
    """The whole section over the defaults of the provider's class: for what only this provider knows."""

    def address(self, name: str) -> str:
        """Another address of this provider, ``<SLUG>_<name>`` or ``<SLUG>_SANDBOX_<name>``; empty if unset."""
        return str(self.others.get(f"{self.slug.upper().replace('-', '_')}_{'SANDBOX_' * self.use_sandbox}{name}", ""))


@frozen
class HTTPSettings:
    """How long a provider may take, in seconds."""

    connect_timeout: float = 5.0
    read_timeout: float = 20.0


@frozen
class DeliverySettings:
    """How deliveries are leased and retried, in seconds, and when an account rests."""

    lease: float = 300.0
    first_retry: float = 30.0
    longest_retry: float = 6 * 3600.0
    give_up_after: float = 3 * 24 * 3600.0
    pause: float = 60.0
    """How long an account rests after ``failures`` failed attempts in a row; doubles up to ``longest_pause``."""
    longest_pause: float = 600.0
    check_stopped: float = 900.0
    """How often an account whose key is refused is checked again; doubles up to ``longest_retry``."""
    failures: float = 5


@frozen
class ConsumerSettings:
    """How the consumer of this app takes events from the bus, in seconds where nothing else is said."""

    batch_size: float = 200
    """Messages that one read takes at most, and one transaction applies."""
    max_wait_ms: float = 1000.0
    """Milliseconds that it waits for messages before it does what is to be done when idle."""
    attempts: float = 5
    """How often an event that fails alone is tried before it becomes a dead event."""
    first_retry: float = 0.2
    """The pause after the first failure; doubles up to ``longest_retry``. For the bus and the database, too."""
    longest_retry: float = 30.0
    claim_after: float = 60.0
    """What another consumer took and did not acknowledge for so long is taken over."""
    claim_every: float = 30.0
    sweep_every: float = 10.0
    """How often due deliveries are swept when idle."""
    work_for: float = 5.0
    """How long one turn of deliveries may keep it from reading messages."""
    grace: float = 20.0
    """How long it may go on after a first SIGTERM."""
    wait_in_process: float = 2.0
    """How long an event that is sent in the process itself (by a web request) waits for a database that is away."""
    start: str = "beginning"
    """Where a new group starts to read: ``beginning`` or ``end`` of what the bus has."""


@frozen
class WebhookSettings:
    """What is let in of what providers send."""

    max_body: float = 65_536
    """Bytes of one request."""
    calls: float = 2_000
    """Requests of one account in ``seconds``; more are answered with 429, and come again."""
    refused_calls: float = 30
    """The same for requests of one address that were refused."""
    seconds: float = 10.0
    without_secret: bool = True
    """Whether a provider that confirms its events is let in without the secret, as it was by the built-in module."""
    rotation: float = 7 * 86_400.0
    """Seconds for which a former secret stays valid."""


@frozen
class CallbackSettings:
    """How system callbacks are sent."""

    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    max_answer: float = 65_536
    """Bytes that are read of an answer."""
    allow_private_addresses: bool = False
    """Whether plain HTTP and private addresses are allowed: for development."""


@frozen
class ApplicationSettings:
    """What a learner may hand in as evidence."""

    max_file: float = 4_194_304
    """Bytes of one file."""
    max_evidence: float = 10
    """Pieces of evidence of one application."""
    file_types: tuple[str, ...] = ("application/pdf", "image/jpeg", "image/png", "image/webp", "text/plain")


@frozen
class RetentionSettings:
    """After how many days what names learners is deleted."""

    webhooks: float = 90.0
    dead_events: float = 180.0
    """Those that were replayed or discarded."""
    provider_badges: float = 365.0
    employees: float = 30.0
    """Those that the provider has deleted or does not show any more."""
    attempts: float = 365.0
    """Of deliveries that ended."""


@frozen
class RetirementSettings:
    """What happens when a learner retires."""

    events: tuple[str, ...] = ()
    """The types of the events that tell of it."""
    at_provider: str = "keep"
    """What becomes of the badges at their providers: one of ``AT_PROVIDER``."""


@frozen
class IssuerSettings:
    """Who issues, as the hosted assertions of Open Badges 2.0 say it."""

    name: str = ""
    url: str = ""
    email: str = ""
    description: str = ""
    image: str = ""
