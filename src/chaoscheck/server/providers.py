"""Providers: how each writes an error.

Shapes: OpenAI ``{"error": {message, type, param, code}}`` (API reference, error codes), Azure
``{"error": {code, message}}`` and OpenRouter ``{"error": {code: <status>, message}}`` (their API
references).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass

from chaoscheck.plan.answer import Answer, ApiError

__all__ = ["AZURE", "JSON_TYPE", "OPENAI", "OPENROUTER", "Provider"]

JSON_TYPE = ("content-type", "application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider by ``name``; ``error_object`` gives the value of its body's ``error`` key."""

    name: str
    error_object: Callable[[int, ApiError], dict[str, object]]

    def worded(self, answer: Answer) -> Answer:
        """``answer`` with its error, if it has one, written as this provider's JSON body."""
        if answer.error is None:
            return answer
        body = _error_body(self, answer.status, answer.error)
        return Answer(status=answer.status, headers=(JSON_TYPE, *answer.headers), body=body)


@functools.lru_cache(maxsize=256)
def _error_body(provider: Provider, status: int, error: ApiError) -> bytes:
    return json.dumps({"error": provider.error_object(status, error)}).encode()


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


OPENAI = Provider(name="openai", error_object=_openai)
AZURE = Provider(name="azure", error_object=_azure)
OPENROUTER = Provider(name="openrouter", error_object=_openrouter)
