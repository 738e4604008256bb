"""Requests of every API that offer the same tools, for a server that calls them as recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chaoscheck.plan.replies import RecordedCall, RecordedReply, Replies

__all__ = ["APIS", "SCHEMAS", "Asked", "asked_of", "calling"]

TEXT = "is it warm?"
_MESSAGES = [{"role": "user", "content": TEXT}]
_PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "exact": {"type": "boolean"},
        "near": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
_EMPTY = {"type": "object", "properties": {}, "required": []}
#: The tools by name: one with two required arguments and two others, one without any.
SCHEMAS: Mapping[str, Mapping[str, Any]] = {"forecast": _PLACE, "unknown_tool": _EMPTY}

_FUNCTIONS = [{"name": name, "parameters": schema} for name, schema in SCHEMAS.items()]
_TOOLS = [{"type": "function", "function": it} for it in _FUNCTIONS]
_CHAT = {"model": "m", "messages": _MESSAGES, "tools": _TOOLS}
_ITEMS = {"model": "m", "input": TEXT, "tools": [{"type": "function", **it} for it in _FUNCTIONS]}
_CLAUDE = {
    "model": "claude-haiku-4-5",
    "max_tokens": 99,
    "messages": _MESSAGES,
    "tools": [{"name": name, "input_schema": schema} for name, schema in SCHEMAS.items()],
}
_DECLARED = [{"name": name, "parametersJsonSchema": schema} for name, schema in SCHEMAS.items()]
_GEMINI = {
    "contents": [{"parts": [{"text": TEXT}]}],
    "tools": [{"functionDeclarations": _DECLARED}],
}
_GEMINI_PATH = "/v1beta/models/gemini-2.5-flash"

#: Each API by name: where it is asked, and what is asked.
APIS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "chat": ("/v1/chat/completions", _CHAT),
    "functions": (
        "/v1/chat/completions",
        {"model": "m", "messages": _MESSAGES, "functions": _FUNCTIONS},
    ),
    "azure": ("/openai/deployments/d/chat/completions?api-version=2024-10-21", _CHAT),
    "openrouter": ("/api/v1/chat/completions", _CHAT),
    "responses": ("/v1/responses", _ITEMS),
    "responses openrouter": ("/api/v1/responses", _ITEMS),
    "messages": ("/v1/messages", _CLAUDE),
    "gemini": (_GEMINI_PATH, _GEMINI),
    "gemini array": (_GEMINI_PATH, _GEMINI),
    "ollama": ("/api/chat", _CHAT),
}


class Asked(NamedTuple):
    """A request as it is sent."""

    target: str
    headers: Mapping[str, str]
    body: bytes


def asked_of(api: str, *, streamed: bool) -> Asked:
    """The request to this API, for a whole answer or a stream."""
    path, body = APIS[api]
    headers = {"anthropic-version": "2023-06-01"} if api == "messages" else {}
    if not api.startswith("gemini"):
        return Asked(path, headers, json.dumps({**body, "stream": streamed}).encode())
    sse = "?alt=sse" if api == "gemini" else ""
    ending = f":streamGenerateContent{sse}" if streamed else ":generateContent"
    return Asked(path + ending, headers, json.dumps(body).encode())


def calling(calls: Sequence[tuple[str, dict[str, Any]]]) -> Replies:
    """Replies that make these calls: (tool, arguments)."""
    recorded = tuple(
        [
            RecordedCall(name=name, arguments=json.dumps(arguments, ensure_ascii=False))
            for name, arguments in calls
        ]
    )
    return Replies(mode="recorded", entries=(RecordedReply(text="yes", tool_calls=recorded),))
