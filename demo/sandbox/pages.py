"""The pages that a person sees: an overview, a badge with its buttons, a credential, a badge's image."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from demo.sandbox import credly_badges
from demo.sandbox.accredible import is_expired
from demo.sandbox.credly_controls import DECISIONS
from demo.sandbox.messages import Json, Reply, Request
from demo.sandbox.store import Store

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem .3rem 0; }
th, td { border-bottom: 1px solid #ccc; } .scroll { overflow-x: auto; } button { font: inherit; padding: .4rem 1rem; }
.state { font-weight: 600; } img { float: right; width: 8rem; margin-left: 1rem; }
"""


def handle(store: Store, request: Request) -> Reply:
    """Answer a request of a browser."""
    match (request.method, *request.parts):
        case ("GET" | "HEAD",):
            return _overview(store)
        case ("GET" | "HEAD", "credly", "badges", badge_id) | ("GET" | "HEAD", "credly", "badges", badge_id, "accept"):
            badge = store.badges.get(badge_id)
            return _badge(store, badge) if badge else _missing()
        case ("POST", "credly", "badges", badge_id, decision) if decision in DECISIONS:
            credly_badges.decide(store, badge_id, DECISIONS[decision])
            return _back_to_badge(store, badge_id)
        case ("POST", "credly", "badges", badge_id, "show" | "hide" as privacy):
            credly_badges.set_public(store, badge_id, privacy == "show")
            return _back_to_badge(store, badge_id)
        case ("GET" | "HEAD", "accredible", "credentials", credential_id):
            credential = store.credentials.get(credential_id)
            return _credential(credential) if credential else _missing()
        case ("GET" | "HEAD", "credly" | "accredible" as provider, "images", name):
            known = store.templates if provider == "credly" else store.groups
            template = known.get(name.removesuffix(".svg"))
            return _image(template["name"]) if template else _missing()
        case _:
            return _missing()


def _back_to_badge(store: Store, badge_id: str) -> Reply:
    return Reply(303, headers={"Location": f"/credly/badges/{badge_id}"}) if badge_id in store.badges else _missing()


def _overview(store: Store) -> Reply:
    badges = [
        (
            f'<a href="/credly/badges/{one["id"]}">{escape(_name(store, one))}</a>',
            escape(f"{one['issued_to_first_name']} {one['issued_to_last_name']}"),
            escape(one["state"]),
        )
        for one in reversed(store.badges.values())
    ]
    credentials = [
        (
            f'<a href="/accredible/credentials/{one["id"]}">{escape(one["name"])}</a>',
            escape(one["recipient"]["name"]),
            escape(_state(one)),
        )
        for one in reversed(store.credentials.values())
    ]
    organizations = [(escape(one["name"]), escape(str(one["id"]))) for one in store.organizations.values()]
    accounts = [(escape(one["name"]), f"{one['credits']} credits left") for one in store.accounts.values()]
    return _page(
        "Provider sandbox",
        "<p>A local stand-in for Credly and Accredible. Nothing here leaves this machine. "
        'For programs: <a href="/_sandbox/">the control API</a>, <a href="/_sandbox/state">the state</a>.</p>'
        f"{_table('Credly badges', ('Badge', 'Learner', 'State'), badges)}"
        f"{_table('Accredible credentials', ('Credential', 'Recipient', 'State'), credentials)}"
        f"{_table('Credly organizations', ('Name', 'Identifier'), organizations)}"
        f"{_table('Accredible accounts', ('Name', 'Credits'), accounts)}",
    )


def _badge(store: Store, badge: Json) -> Reply:
    learner = escape(f"{badge['issued_to_first_name']} {badge['issued_to_last_name']}")
    reason = badge["revocation_reason"]
    is_public = badge["public"]
    choices = {
        "pending": (("accept", "Accept this badge"), ("reject", "Reject this badge")),
        "accepted": (("hide", "Hide this badge") if is_public else ("show", "Show this badge to everybody"),),
    }
    buttons = "".join(
        f'<form method="post" action="/credly/badges/{badge["id"]}/{choice}"><p><button>{label}</button></p></form>'
        for choice, label in choices.get(badge["state"], ())
    )
    visibility = "Everybody can see it." if is_public else "Only the learner can see it."
    return _page(
        _name(store, badge),
        f'<img src="/credly/images/{escape(badge["badge_template_id"])}.svg" alt="">'
        f"<p>Issued to {learner} on {escape(badge['issued_at'][:10])} (Credly sandbox).</p>"
        f'<p>State: <span class="state">{escape(badge["state"])}</span></p>'
        f"{f'<p>Reason: {escape(reason)}</p>' if reason else ''}"
        f"<p>{visibility if badge['state'] == 'accepted' else ''}</p>{buttons}",
    )


def _credential(credential: Json) -> Reply:
    warning = "<p>This credential has expired. It can no longer be verified.</p>" if is_expired(credential) else ""
    return _page(
        credential["name"],
        f'<img src="/accredible/images/{credential["group_id"]}.svg" alt="">'
        f"<p>Awarded to {escape(credential['recipient']['name'])} on {credential['issued_on']} (Accredible "
        "sandbox).</p>"
        f'<p>State: <span class="state">{escape(_state(credential))}</span></p>{warning}',
    )


def _state(credential: Json) -> str:
    if is_expired(credential):
        return "expired"
    return "published" if credential["approve"] else "unpublished"


def _name(store: Store, badge: Json) -> str:
    return str(store.templates.get(badge["badge_template_id"], {}).get("name", "A deleted badge template"))


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    empty = f'<tr><td colspan="{len(columns)}">None yet.</td></tr>'
    return f'<h2>{title}</h2><div class="scroll"><table><tr>{heads}</tr>{body or empty}</table></div>'


def _image(name: str) -> Reply:
    letters = "".join(word[0] for word in name.split()[:2]).upper()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" role="img" aria-label="{escape(name)}">'
        '<circle cx="60" cy="60" r="56" fill="#1d4f7c"/><circle cx="60" cy="60" r="46" fill="none" stroke="#fff" '
        'stroke-width="3"/><text x="60" y="74" text-anchor="middle" font-family="sans-serif" font-size="40" '
        f'fill="#fff">{escape(letters)}</text></svg>'
    )
    return Reply(200, svg.encode(), "image/svg+xml")


def _missing() -> Reply:
    page = _page("Not found", '<p>There is nothing here. <a href="/">To the overview</a>.</p>')
    return Reply(404, page.body, page.content_type)


def _page(title: str, body: str) -> Reply:
    return Reply.html(
        200,
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>",
    )
