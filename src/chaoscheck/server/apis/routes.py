"""Routes: which provider's API a request means, or which error it is.

OpenAI's stand under ``/v1``, OpenRouter's under ``/api/v1``, Anthropic's at ``/v1/messages`` (and
``/v1/models`` with an ``anthropic-version`` header), Azure's under ``/openai``: by deployment, or
by model under ``/openai/v1``, which alone needs no ``?api-version=YYYY-MM-DD``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.apis.call import Api
from chaoscheck.server.apis.chat import answer_azure_chat, answer_chat, answer_openrouter_chat
from chaoscheck.server.apis.embeddings import answer_embeddings
from chaoscheck.server.apis.message_models import answer_anthropic_model, answer_anthropic_models
from chaoscheck.server.apis.message_tokens import answer_count_tokens
from chaoscheck.server.apis.messages import answer_message
from chaoscheck.server.apis.model_lists import (
    answer_azure_model,
    answer_azure_models,
    answer_openai_model,
    answer_openai_models,
    answer_openrouter_models,
)
from chaoscheck.server.apis.responses import answer_response
from chaoscheck.server.providers import ANTHROPIC, AZURE, OPENAI, OPENROUTER, Provider

__all__ = ["Route", "path_of", "provider_of", "route"]

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_V1_VERSIONS = ("latest", "preview", "v1")
_NO_HEADERS: Mapping[bytes, bytes] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request leads: ``error`` if nowhere; ``model`` if the path names one."""

    provider: Provider
    api: Api = answer_chat
    model: str | None = None
    error: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """An API and where it stands; a ``path`` with a group names a model."""

    provider: Provider
    path: str
    api: Api
    method: str = "POST"
    needs_version: bool = False


def _azure(path: str, api: Api, method: str = "POST") -> _Place:
    return _Place(provider=AZURE, path=path, api=api, method=method, needs_version=True)


# The first place that fits is meant; only Anthropic's models stand where another's do.
_PLACES = (
    _Place(provider=OPENAI, path="/v1/chat/completions", api=answer_chat),
    _Place(provider=OPENAI, path="/v1/responses", api=answer_response),
    _Place(provider=OPENAI, path="/v1/embeddings", api=answer_embeddings),
    _Place(provider=OPENAI, path="/v1/models", api=answer_openai_models, method="GET"),
    _Place(provider=OPENAI, path="/v1/models/(.+)", api=answer_openai_model, method="GET"),
    _Place(provider=OPENROUTER, path="/api/v1/chat/completions", api=answer_openrouter_chat),
    _Place(provider=OPENROUTER, path="/api/v1/models", api=answer_openrouter_models, method="GET"),
    _Place(provider=ANTHROPIC, path="/v1/messages", api=answer_message),
    _Place(provider=ANTHROPIC, path="/v1/messages/count_tokens", api=answer_count_tokens),
    _Place(provider=ANTHROPIC, path="/v1/models", api=answer_anthropic_models, method="GET"),
    _Place(provider=ANTHROPIC, path="/v1/models/(.+)", api=answer_anthropic_model, method="GET"),
    _azure("/openai/deployments/([^/]+)/chat/completions", answer_azure_chat),
    _azure("/openai/deployments/([^/]+)/embeddings", answer_embeddings),
    _azure("/openai/responses", answer_response),
    _azure("/openai/models", answer_azure_models, "GET"),
    _azure("/openai/models/(.+)", answer_azure_model, "GET"),
    _Place(provider=AZURE, path="/openai/v1/chat/completions", api=answer_azure_chat),
    _Place(provider=AZURE, path="/openai/v1/responses", api=answer_response),
    _Place(provider=AZURE, path="/openai/v1/embeddings", api=answer_embeddings),
    _Place(provider=AZURE, path="/openai/v1/models", api=answer_azure_models, method="GET"),
    _Place(provider=AZURE, path="/openai/v1/models/(.+)", api=answer_azure_model, method="GET"),
)
# What most requests mean is found in one step.
_POSTED = {
    place.path: Route(provider=place.provider, api=place.api)
    for place in _PLACES
    if place.method == "POST" and place.provider is not AZURE
}
_EXACT: dict[str, list[_Place]] = {}
for _place in _PLACES:
    if "(" not in _place.path:
        _EXACT.setdefault(_place.path, []).append(_place)
_PATTERNS = [(re.compile(place.path), place) for place in _PLACES if "(" in place.path]


def path_of(target: str) -> str:
    """The path of a request target, without query, decoded; the absolute form is understood."""
    path = target.partition("?")[0]
    if not path.startswith("/") and "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return unquote(path) if "%" in path else path


def provider_of(path: str) -> Provider:
    """Whose error shape a request to ``path`` is answered in: OpenAI's unless it says otherwise."""
    if path.startswith("/openai/"):
        return AZURE
    if path.startswith("/v1/messages"):
        return ANTHROPIC
    return OPENROUTER if path.startswith("/api/") else OPENAI


def route(
    method: str,
    target: str,
    path: str,
    headers: Mapping[bytes, bytes] = _NO_HEADERS,
    *,
    only: frozenset[str] | None = None,
) -> Route:
    """The route of a request, whose path is ``path_of(target)``.

    ``only`` names the providers that are served; None serves all. Where two providers share a
    path, an ``anthropic-version`` header means Anthropic.
    """
    if only is None and method == "POST" and (found := _POSTED.get(path)) is not None:
        return found
    places = [
        (place, model)
        for place, model in _places_at(path)
        if only is None or place.provider.name in only
    ]
    if not places:
        return Route(provider=provider_of(path), error=_unknown_path(method, path))
    # A stable sort: the only provider that is served answers with or without the header.
    to_anthropic = b"anthropic-version" in headers
    place, model = min(places, key=lambda at: (at[0].provider is ANTHROPIC) != to_anthropic)
    provider = place.provider
    if method != place.method and (method != "HEAD" or place.method != "GET"):
        return Route(provider=provider, error=_wrong_method(method, place.method))
    error = _version_error(target.partition("?")[2], place)
    return Route(provider=provider, api=place.api, model=model, error=error)


def _places_at(path: str) -> Iterator[tuple[_Place, str | None]]:
    for place in _EXACT.get(path, ()):
        yield place, None
    for pattern, place in _PATTERNS:
        if (matched := pattern.fullmatch(path)) is not None:
            yield place, matched[1]


def _unknown_path(method: str, path: str) -> Answer:
    message = f"Invalid URL ({method} {path[:200]})"
    return Answer(status=404, error=ApiError(message=message, type="invalid_request_error"))


def _wrong_method(method: str, right: str) -> Answer:
    return Answer(
        status=405,
        headers=(("allow", right),),
        error=ApiError(
            message=f"Not allowed to {method} here; allowed: {right}",
            type="invalid_request_error",
            code="method_not_supported",
        ),
    )


def _names_v1(version: str, place: _Place) -> bool:
    return not place.needs_version and version in _V1_VERSIONS


def _version_error(query: str, place: _Place) -> Answer | None:
    if place.provider is not AZURE:
        return None
    versions = parse_qs(query).get("api-version", [])
    if not versions:
        if not place.needs_version:
            return None
        # Azure says no more than this when the parameter is missing.
        error = ApiError(message="Resource not found", type="invalid_request_error")
        return Answer(status=404, error=error)
    if _API_VERSION.fullmatch(versions[-1]) or _names_v1(versions[-1], place):
        return None
    message = f"api-version must be YYYY-MM-DD or YYYY-MM-DD-preview, got {versions[-1][:40]!r}"
    error = ApiError(message=message, type="invalid_request_error", code="BadRequest")
    return Answer(status=400, error=error)
