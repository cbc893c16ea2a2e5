"""The addresses at which providers call back."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, path

from badges.webhooks.views import nothing, webhook

ADDRESSES = {
    # The name and the address under which operators of the built-in module have entered it at Credly.
    "credly-webhook": "credly/webhook",
    "webhook": "<slug:provider>/webhook",
    "webhook-account": "<slug:provider>/webhook/<int:account>",
    "webhook-secret": "<slug:provider>/webhook/<int:account>/<str:secret>",
}


def _patterns() -> Iterator[URLPattern]:
    for name, address in ADDRESSES.items():
        given = {"provider": "credly"} if name == "credly-webhook" else {}
        yield path(f"{address}/", webhook, given, name=name)
        # Redirected, a request would lose its body; not found, Django would write the secret to its log.
        yield path(address, webhook, given)
    yield path("<slug:provider>/webhook/<path:rest>", nothing)


urlpatterns: list[URLPattern] = list(_patterns())
