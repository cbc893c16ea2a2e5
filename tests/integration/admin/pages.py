"""Uses the admin as a browser does: opens a page, changes some inputs, sends the whole form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client

Staff = Callable[..., Client]


def url(model: str, *parts: object) -> str:
    """``/admin/badges/<model>/...``"""
    return "/".join(["/admin/badges", model, *(str(part) for part in parts), ""])


def messages(response: Any) -> list[str]:
    """The messages that the page shows, or will show on the next one."""
    shown = response.context.get("messages") if response.context else None
    return [str(message) for message in (shown if shown is not None else get_messages(response.wsgi_request))]


def inputs(response: Any) -> dict[str, Any]:
    """What a browser would send of an admin form, nothing changed."""
    data: dict[str, Any] = {}
    forms = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            if bound.field.disabled or value is None or value is False:
                continue
            if isinstance(value, list | tuple):
                data[bound.html_name] = [getattr(item, "pk", item) for item in value]
            else:
                data[bound.html_name] = "on" if value is True else getattr(value, "pk", value)
    return data


def submit(client: Client, address: str, *, without: tuple[str, ...] = (), **changes: Any) -> Any:
    """Open a page, change inputs (``__`` in a name stands for ``-``), send it, follow the redirect."""
    page = client.get(address)
    assert page.status_code == 200, page
    data = inputs(page)
    data.update({name.replace("__", "-"): value for name, value in changes.items()})
    for name in without:
        data.pop(name, None)
    return client.post(address, data, follow=True)


def row(prefix: str, index: int, **values: Any) -> dict[str, Any]:
    """The inputs of a new inline row, for :func:`submit`."""
    return {
        f"{prefix}__TOTAL_FORMS": index + 1,
        **{f"{prefix}__{index}__{name}": value for name, value in values.items()},
    }


def errors(response: Any) -> str:
    """All errors that a form page shows, in one text."""
    found = [str(response.context["adminform"].form.errors)]
    for inline in response.context["inline_admin_formsets"]:
        found += [str(inline.formset.non_form_errors()), *(str(form.errors) for form in inline.formset.forms)]
    return "\n".join(found).replace("&quot;", '"').replace("&#x27;", "'")


def act(client: Client, model: str, action: str, *rows: Any, **more: Any) -> Any:
    """Run an action of a list on rows."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(url(model), data, follow=True)
