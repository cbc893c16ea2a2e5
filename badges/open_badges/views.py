"""The pages of the world for a badge that is hosted here: assertion, badge class, issuer, and an image."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from badges.conf import get_config
from badges.exceptions import ConfigurationError
from badges.issuing.addresses import absolute, base_url, is_described, is_hosted
from badges.models import Badge, BadgeTemplate
from badges.open_badges import documents
from badges.open_badges.documents import Document
from badges.toggles import is_badges_enabled

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/ld+json"
FRESH_FOR = 300
"""Seconds for which a copy may be used without asking: a revocation is known after that."""
IMAGE = Path(__file__).parent.parent / "static" / "badges" / "badge.svg"

View = Callable[..., HttpResponseBase]


def public(view: Callable[..., HttpResponse]) -> View:
    """A page for everybody, also for scripts of other sites; nothing while the feature is off."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not is_badges_enabled():
            raise Http404
        try:
            response = view(request, *args, **kwargs)
        except ConfigurationError as error:
            # No traceback: the sentence says what to do, and everybody may ask for this page.
            reason = str(error)
        else:
            return _finished(request, response)
        logger.error("A page of Open Badges could not be made: %s", reason, extra={"action": "open_badges_failed"})
        return HttpResponse(b"{}", content_type=CONTENT_TYPE, status=503)

    # A session or a middleware for CSRF would vary the answer by cookies that nobody needs here.
    wrapped: View = login_not_required(csrf_exempt(non_atomic_requests(require_safe(answer))))
    return wrapped


def _finished(request: HttpRequest, response: HttpResponse) -> HttpResponseBase:
    response["Access-Control-Allow-Origin"] = "*"
    response["X-Content-Type-Options"] = "nosniff"
    patch_cache_control(response, public=True, max_age=FRESH_FOR)
    if response.status_code != 200:
        return response
    etag = quote_etag(hashlib.sha256(response.content).hexdigest()[:32])
    response["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=response) or response


@public
def assertion(request: HttpRequest, badge_id: uuid.UUID) -> HttpResponse:
    """The hosted assertion of a badge. 404 where none is made here, 410 where the badge is revoked."""
    badge = Badge.objects.select_related("user", "template__account").filter(uuid=badge_id).first()
    if badge is None or not is_hosted(badge):
        return _nothing()
    own = absolute("assertion", badge.uuid)
    if not badge.is_awarded:
        return _document(documents.revoked_assertion(id=own), status=410)
    email = badge.user.email
    if not email:
        # Of nobody's badge nothing can be asserted.
        return _nothing()
    return _document(
        documents.assertion(
            id=own,
            badge_id=badge.uuid,
            email=email,
            badge_class=absolute("badge_class", badge.template.uuid),
            issued_at=badge.awarded_at,
        )
    )


@public
def badge_class(request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    """What a badge stands for. 404 for a template that is not active, and of which no badge was awarded."""
    template = BadgeTemplate.objects.select_related("account").filter(uuid=template_id).first()
    if template is None or not is_described(template) or not (template.is_active or template.badges.exists()):
        return _nothing()
    return _document(
        documents.badge_class(
            id=absolute("badge_class", template.uuid),
            name=template.name,
            description=template.description,
            image=template.image_url or absolute("badge_image"),
            criteria=[one for one in template.criteria if isinstance(one, dict)],
            conditions=list(template.review_criteria.values_list("description", flat=True)),
            tags=[skill for skill in template.skills if isinstance(skill, str)],
            issuer=absolute("issuer"),
        )
    )


@public
def issuer(request: HttpRequest) -> HttpResponse:
    """Who issues: ``BADGES_CONFIG["issuer"]``."""
    told = get_config().issuer
    base = base_url()
    return _document(
        documents.issuer(
            id=absolute("issuer"),
            name=told.name or base.split("://", 1)[1].strip("/"),
            url=told.url or base,
            email=told.email,
            description=told.description,
            image=told.image,
        )
    )


@public
def badge_image(request: HttpRequest) -> HttpResponse:
    """The image of templates that have none."""
    return HttpResponse(_image(), content_type="image/svg+xml")


@functools.cache
def _image() -> bytes:
    return IMAGE.read_bytes()


def _document(document: Document, status: int = 200) -> HttpResponse:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return HttpResponse(text.encode("utf-8", "replace"), content_type=CONTENT_TYPE, status=status)


def _nothing() -> HttpResponse:
    return HttpResponse(b"{}", content_type=CONTENT_TYPE, status=404)
