"""The OpenAPI document of this API: made by drf-spectacular, of our addresses alone.

The project's own documents are left as they are: the views say to every other generator that they are not for it, and
no setting of the project's, such as ``SPECTACULAR_SETTINGS``, changes this one. Only how somebody authenticates is the
project's, and the address at which it has this API.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from django.conf import settings
from django.utils import translation
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance
from drf_spectacular.settings import SPECTACULAR_DEFAULTS, patched_settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication

from badges.exceptions import ConfigurationError
from badges.rest_api.views import ApiViews

VERSION = "3.1.1"
BINARY = {"type": "string", "format": "binary"}
ERRORS: Mapping[int, str] = {
    400: "What was sent is not valid; `fields` says what of it, and why.",
    401: "Nobody is logged in; `WWW-Authenticate` says how to log in.",
    403: "Nobody is logged in, or whoever is may not do this.",
    404: "There is no such thing, or not for whoever asks; or the feature is switched off.",
    409: "The present state does not allow it, perhaps because somebody else was faster. Nothing was changed.",
    413: "The request is too large.",
    415: "The content type of what was sent is not accepted.",
    429: "Too many requests; `Retry-After` says how many seconds to wait.",
}
NAMES: Mapping[int, str] = {
    400: "NotValid",
    401: "NotLoggedIn",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    413: "TooLarge",
    415: "OfWrongKind",
    429: "TooMany",
}
_EVERYWHERE = (401, 403, 404, 429)
_WITH_BODY = (400, 415)
_making = threading.Lock()


class ErrorContent(serializers.Serializer[Any]):
    """What is wrong. ``fields`` names what of the input, with dots and counted from 0 (``evidence.2.url``)."""

    code = serializers.CharField(help_text="For programs: which error it is.")
    message = serializers.CharField(help_text="For people: a sentence, in the language of the request.")
    badge = serializers.URLField(
        required=False, help_text="Where a badge is in the way: its address, for whoever may see it."
    )

    def get_fields(self) -> dict[str, Any]:
        # As an attribute, ``fields`` is a serializer's own.
        texts = serializers.ListField(child=serializers.CharField())
        return {**super().get_fields(), "fields": serializers.DictField(child=texts)}


class Error(serializers.Serializer[Any]):
    """The shape of every error."""

    error = ErrorContent()


@frozen
class Operation:
    """What one operation takes and gives; the rest is told by the view."""

    id: str
    summary: str
    answer: Any = None
    """The serializer of the answer; None for a file."""
    status: int = 200
    body: Any = None
    """The serializer of the body in JSON."""
    form: Any = None
    """The same of the body as a form, where forms are read."""
    query: Sequence[Any] = ()
    """Serializers of parameters, and single ones, which count before those."""
    errors: Sequence[int] = ()
    """Beside those that every operation may have."""
    examples: Sequence[OpenApiExample] = ()
    many: bool = field(default=False)
    """Whether the answer is a page of a list."""


def several(name: str, values: Sequence[str], description: str = "") -> OpenApiParameter:
    """A parameter that takes several of some values, parted by commas."""
    kind = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(values)}}
    return OpenApiParameter(name, kind, description=description, style="form", explode=False)


def document(patterns: Sequence[Any], operations: Mapping[str, Operation], **options: Any) -> dict[str, Any]:
    """Make the document. It is in English, whatever the language of the request; slow, so keep it.

    Arguments:
        patterns: the addresses that it is of.
        operations: by ``basename.action``; each operation that the addresses have is in it.
        options: ``server``, the address under which they are, ``title``, ``description``, ``tags``; ``enumerations``,
            their names in the document with their values; ``quietly``, whether what cannot be told is left out.

    Raises:
        ConfigurationError: an operation is not described; or what it takes or gives cannot be told.
    """
    chosen = {
        name: value
        for name, value in SPECTACULAR_DEFAULTS.items()
        if not name.startswith("SERVE_") and name != "DEFAULT_GENERATOR_CLASS"
    }
    chosen |= {
        "OAS_VERSION": VERSION,
        "TITLE": options["title"],
        "DESCRIPTION": options["description"],
        "VERSION": "1",
        "TAGS": options["tags"],
        "SERVERS": [{"url": options["server"]}],
        "SCHEMA_PATH_PREFIX": "/",
        "ENFORCE_NON_BLANK_FIELDS": True,
        "ENUM_NAME_OVERRIDES": options["enumerations"],
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
        "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", f"{__name__}.complete"],
        "DISABLE_ERRORS_AND_WARNINGS": bool(options.get("quietly")),
    }

    class Described(_Schema):
        pass

    Described.operations = operations
    # The settings are the process's.
    with _making, translation.override("en"), patched_settings(chosen):
        with GENERATOR_STATS.silence():
            generator: Any = _Generator(patterns=list(patterns), schema=Described)
            made: dict[str, Any] = generator.get_schema(public=True)
        problems = [*GENERATOR_STATS._error_cache, *GENERATOR_STATS._warn_cache]
    if problems and not options.get("quietly"):
        raise ConfigurationError(f"The API cannot be described: {'; '.join(map(str, problems))}")
    return made


class _Endpoints(EndpointEnumerator):
    def should_include_endpoint(self, path: str, callback: Any) -> bool:
        # The views exclude themselves from all other documents.
        return issubclass(getattr(callback, "cls", object), ApiViews)


class _Generator(SchemaGenerator):
    endpoint_inspector_cls = _Endpoints

    def __init__(self, *args: Any, schema: type[_Schema], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._schema = schema

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        view.schema = self._schema()
        view.schema.view = view
        return view


class _Schema(AutoSchema):
    operations: Mapping[str, Operation] = {}

    @property
    def told(self) -> Operation:
        """What is known of the present operation."""
        view: Any = self.view
        name = f"{view.basename}.{view.action}"
        found = self.operations.get(name)
        if found is None:
            raise ConfigurationError(f'The API\'s operation "{name}" is not described.')
        return found

    def get_operation_id(self) -> str:
        return self.told.id

    def get_summary(self) -> str:
        return self.told.summary

    def get_tags(self) -> list[str]:
        parts = [part for part in self.path.split("/") if part and "{" not in part]
        return ["/".join(parts[:2]) if parts[0] == "my" else parts[0]]

    def get_override_parameters(self) -> list[Any]:
        headers = OpenApiParameter(
            "Retry-After",
            int,
            OpenApiParameter.HEADER,
            description="How many seconds to wait.",
            response=[429],
            required=False,
        )
        challenge = OpenApiParameter(
            "WWW-Authenticate",
            str,
            OpenApiParameter.HEADER,
            description="How to log in.",
            response=[401],
            required=False,
        )
        return [*self.told.query, headers, challenge]

    def get_request_serializer(self) -> Any:
        told = self.told
        bodies = {"application/json": told.body, "multipart/form-data": told.form}
        return {media_type: body for media_type, body in bodies.items() if body is not None} or None

    def get_response_serializers(self) -> Any:
        told = self.told
        answer: Any = told.answer
        if answer is None:
            right: dict[Any, Any] = {(told.status, "application/octet-stream"): OpenApiResponse(BINARY, "The file.")}
        else:
            right = {told.status: force_instance(answer(many=True) if told.many else answer)}
        wrong = {*_EVERYWHERE, *told.errors}
        if told.query or told.many:
            wrong.add(400)
        if self.method == "POST":
            wrong.add(413)
        if told.body is not None or told.form is not None:
            wrong.update(_WITH_BODY)
        return {**right, **{code: OpenApiResponse(Error, ERRORS[code]) for code in sorted(wrong)}}

    def get_examples(self) -> list[OpenApiExample]:
        return list(self.told.examples)

    def get_auth(self) -> list[dict[str, Any]]:
        """The project's ways to log in; those that drf-spectacular does not know by what they say of themselves."""
        found: list[dict[str, Any]] = []
        for authenticator in self.view.get_authenticators():
            scheme = OpenApiAuthenticationExtension.get_match(authenticator)
            if scheme is not None and isinstance(scheme.name, str):
                name, definition = scheme.name, scheme.get_security_definition(self)
            else:
                name, definition = _definition_of(authenticator, self.view.request)
            found.append({name: []})
            component = ResolvedComponent(
                name=name,
                type=ResolvedComponent.SECURITY_SCHEMA,
                object=type(authenticator),
                schema=definition,
            )
            self.registry.register_on_missing(component)
        return found


def _definition_of(authenticator: Any, request: Any) -> tuple[str, dict[str, Any]]:
    name = type(authenticator).__name__
    if isinstance(authenticator, SessionAuthentication):
        return name, {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
    # What stands before a token: "JWT" of the LMS, say.
    scheme = str(authenticator.authenticate_header(request) or "bearer").partition(" ")[0].lower()
    return name, {"type": "http", "scheme": scheme, "description": f"As the project's {name} reads it."}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Mend what drf-spectacular makes, which is the same on every database then, and a third as long."""
    components = result["components"]
    schemas = components["schemas"]
    asked = set(_reached(_parts(result, "requestBody"), schemas))
    for name in _reached(_parts(result, "responses"), schemas):
        if name not in asked and name != "ErrorContent":
            _all_there(schemas[name])
    components["responses"] = {NAMES[code]: _share(result, str(code)) for code in sorted(NAMES)}
    tidied: dict[str, Any] = _tidied(result)
    return tidied


def _all_there(schema: dict[str, Any]) -> None:
    """Say of what is answered that it is all there; what may be left out in a request is another thing."""
    properties = schema.get("properties", {})
    if properties:
        schema["required"] = list(properties)
    for one in properties.values():
        if {part.get("type") for part in one.get("oneOf", ())} == {"string"} or one.get("format") == "uri":
            # An address or nothing, of which each version of drf-spectacular says something else.
            one["type"] = "string"
            one.pop("oneOf", None)
            one.pop("format", None)
        for name in ("readOnly", "writeOnly", "title", "default", "minLength", "maxLength", "pattern"):
            one.pop(name, None)
        if "integer" in one.get("type", ()):
            # How large a number a column holds is the database's.
            for name in ("minimum", "maximum", "format"):
                one.pop(name, None)


def _share(result: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Take an answer out of the operations that have it, but from where it has an example of its own."""
    shared: dict[str, Any] = {}
    for responses in _parts(result, "responses"):
        if code in responses and "examples" not in str(responses[code]):
            shared = responses[code]
            responses[code] = {"$ref": f"#/components/responses/{NAMES[int(code)]}"}
    return shared


def _tidied(part: Any) -> Any:
    """The same in the words of OpenAPI 3.1, without what stands there for older versions."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    if len(wrapped := part.get("allOf", [])) == 1 and isinstance(wrapped, list):
        part = {**wrapped[0], **{name: value for name, value in part.items() if name != "allOf"}}
    found = {name: _tidied(value) for name, value in part.items()}
    if found.get("nullable") is True:
        del found["nullable"]
        found["type"] = [found["type"], "null"]
    if isinstance(text := found.get("description"), str):
        # Docstrings are in reStructuredText, and this is Markdown.
        found["description"] = text.replace("``", "`")
    return found


def _parts(result: Mapping[str, Any], name: str) -> Iterator[Any]:
    for operations in result.get("paths", {}).values():
        yield from (operation.get(name) for operation in operations.values())


def _reached(parts: Iterator[Any], schemas: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name in schemas and name not in found:
                found[name] = None
                walk(schemas[name])
            for item in part.values():
                walk(item)
        elif isinstance(part, list):
            for item in part:
                walk(item)

    for part in parts:
        walk(part)
    return list(found)
