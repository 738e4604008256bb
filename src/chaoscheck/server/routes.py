"""Routes: which provider's API a request means, or which error it is.

``/v1/chat/completions`` is OpenAI's, ``/api/v1/chat/completions`` OpenRouter's,
``/openai/deployments/{deployment}/chat/completions?api-version=YYYY-MM-DD`` Azure's, and
``/v1/messages`` Anthropic's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, unquote

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.chat import answer_chat
from chaoscheck.server.messages import answer_message
from chaoscheck.server.providers import ANTHROPIC, AZURE, OPENAI, OPENROUTER, Provider

__all__ = ["Api", "Route", "path_of", "provider_of", "route"]

_METHODS = ("POST",)
_AZURE = re.compile(r"/openai/deployments/([^/]+)/chat/completions")
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


class Api(Protocol):
    """One API: a pure function from a request's body to its answer."""

    def __call__(
        self, body: bytes, *, number: int, created_s: int, model: str | None
    ) -> tuple[Answer, str | None]:
        """The good answer and the text it echoes, or a 400 and None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request leads: ``error`` if nowhere; ``model`` if the path names one."""

    provider: Provider
    api: Api = answer_chat
    model: str | None = None
    error: Answer | None = None


_ROUTES = {
    "/v1/chat/completions": Route(provider=OPENAI),
    "/api/v1/chat/completions": Route(provider=OPENROUTER),
    "/v1/messages": Route(provider=ANTHROPIC, api=answer_message),
}


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


def route(method: str, target: str, path: str) -> Route:
    """The route of a request, whose path is ``path_of(target)``."""
    found = _ROUTES.get(path)
    deployment = None if found else _AZURE.fullmatch(path)
    provider = provider_of(path)
    if found is None and deployment is None:
        return Route(provider=provider, error=_unknown_path(method, path))
    if method not in _METHODS:
        return Route(provider=provider, error=_wrong_method(method))
    if deployment is None:
        return found or Route(provider=provider)
    return Route(
        provider=provider, model=deployment[1], error=_api_version_error(target.partition("?")[2])
    )


def _unknown_path(method: str, path: str) -> Answer:
    message = f"Invalid URL ({method} {path[:200]})"
    return Answer(status=404, error=ApiError(message=message, type="invalid_request_error"))


def _wrong_method(method: str) -> Answer:
    message = f"Not allowed to {method} here; allowed: {', '.join(_METHODS)}"
    return Answer(
        status=405,
        headers=(("allow", ", ".join(_METHODS)),),
        error=ApiError(message=message, type="invalid_request_error", code="method_not_supported"),
    )


def _api_version_error(query: str) -> Answer | None:
    versions = parse_qs(query).get("api-version", [])
    if not versions:  # Azure says no more than this when the parameter is missing.
        error = ApiError(message="Resource not found", type="invalid_request_error")
        return Answer(status=404, error=error)
    if _API_VERSION.fullmatch(versions[-1]):
        return None
    message = f"api-version must be YYYY-MM-DD or YYYY-MM-DD-preview, got {versions[-1][:40]!r}"
    error = ApiError(message=message, type="invalid_request_error", code="BadRequest")
    return Answer(status=400, error=error)
