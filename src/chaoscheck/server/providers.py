"""Providers: how each writes an error.

Shapes: OpenAI ``{"error": {message, type, param, code}}`` (API reference, error codes), Azure
``{"error": {code, message}}``, OpenRouter ``{"error": {code: <status>, message}}`` and Anthropic
``{"type": "error", "error": {type, message}, "request_id"}`` (their API references).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass

from chaoscheck.plan.answer import Answer, ApiError

__all__ = ["ANTHROPIC", "AZURE", "JSON_TYPE", "OPENAI", "OPENROUTER", "Provider"]

JSON_TYPE = ("content-type", "application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider by ``name``.

    ``error_object`` gives the value of its body's ``error`` key; ``request_id_header`` bears the
    id of each request; ``error_names_request`` says that its error bodies bear it too.
    """

    name: str
    error_object: Callable[[int, ApiError], dict[str, object]]
    request_id_header: str = "x-request-id"
    error_names_request: bool = False

    def worded(self, answer: Answer, request_id: str) -> Answer:
        """``answer`` with its error, if it has one, written as this provider's JSON body."""
        if answer.error is None:
            return answer
        body = _error_body(self, answer.status, answer.error)
        if self.error_names_request:
            body = b'%s, "request_id": "%s"}' % (body[:-1], request_id.encode("ascii"))
        return Answer(status=answer.status, headers=(JSON_TYPE, *answer.headers), body=body)


@functools.lru_cache(maxsize=256)
def _error_body(provider: Provider, status: int, error: ApiError) -> bytes:
    kind = {"type": "error"} if provider.error_names_request else {}
    return json.dumps({**kind, "error": provider.error_object(status, error)}).encode()


def _openai(_status: int, error: ApiError) -> dict[str, object]:
    return {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }


def _azure(status: int, error: ApiError) -> dict[str, object]:
    # Azure names what is wrong with a request, and repeats the status for everything else.
    named = error.code if status == 400 else None
    return {"code": named or str(status), "message": error.message}


def _openrouter(status: int, error: ApiError) -> dict[str, object]:
    return {"code": status, "message": error.message}


# Anthropic's API reference, "Errors"; what it does not list is an api_error if it is the server's.
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _anthropic(status: int, error: ApiError) -> dict[str, object]:
    other = "api_error" if status >= 500 else "invalid_request_error"
    return {"type": _ANTHROPIC_TYPES.get(status, other), "message": error.message}


OPENAI = Provider(name="openai", error_object=_openai)
AZURE = Provider(name="azure", error_object=_azure)
OPENROUTER = Provider(name="openrouter", error_object=_openrouter)
ANTHROPIC = Provider(
    name="anthropic",
    error_object=_anthropic,
    request_id_header="request-id",
    error_names_request=True,
)
