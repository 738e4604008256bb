"""What a request to Ollama's chat holds, or what is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaoscheck.server.apis.pieces import words_in
from chaoscheck.server.apis.request_body import BadRequest, json_of
from chaoscheck.server.apis.speaker import ToolOffer

__all__ = ["OllamaAsked", "asked_of"]

_ROLES = ("system", "user", "assistant", "tool")
_EFFORTS = ("low", "medium", "high")
_LOGPROBS_MAX = 20
_LIMIT_MAX = 2**31 - 1
_CONTEXT_MIN = 4  # tokens: what Ollama makes of less; 0 is its default
_DURATION = re.compile(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")
_ANY_OBJECT: Mapping[str, object] = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaAsked:
    """A good request; without ``texts`` the model is only loaded. ``limit`` is in tokens.

    ``logprobs`` is how many likeliest tokens are said of each; None says nothing of likelihood.
    ``context`` is the context window in tokens that it wants, None if it does not say.
    """

    model: str
    texts: tuple[tuple[str, str], ...]
    tools: tuple[ToolOffer, ...]
    schema: Mapping[str, object] | None
    streamed: bool
    thinks: bool
    stops: tuple[str, ...]
    limit: int | None
    context: int | None
    logprobs: int | None

    @property
    def tokens(self) -> int:
        """How many tokens were read."""
        return sum([words_in(text) for _, text in self.texts])


def asked_of(body: bytes) -> OllamaAsked:
    """Read a request; BadRequest where it is malformed or out of range."""
    try:
        asked = json_of(body) if body.strip() else None
    except (ValueError, RecursionError):
        raise BadRequest("invalid character in the body: it is not valid JSON") from None
    if asked is None:
        raise BadRequest("missing request body")
    if not isinstance(asked, dict):
        raise _mistyped("ChatRequest", asked, "an object")
    model = _of_type(asked, "model", str, "a string")
    if not model:
        raise BadRequest("model is required", "model")
    options = _of_type(asked, "options", dict, "an object") or {}
    stream = _of_type(asked, "stream", bool, "a boolean")
    _check_keep_alive(asked.get("keep_alive"))
    return OllamaAsked(
        model=model,
        texts=_texts(asked),
        tools=_tools(asked),
        schema=_schema(asked.get("format")),
        streamed=stream is not False,
        thinks=_thinks(asked.get("think")),
        stops=_stops(options),
        limit=_limit(options),
        context=_context(options),
        logprobs=_logprobs(asked),
    )


def _mistyped(where: str, value: object, expected: str) -> BadRequest:
    came = type(value).__name__
    return BadRequest(f"cannot unmarshal {came} into field {where}: expected {expected}", where)


def _of_type(holder: Mapping[str, object], name: str, kind: type, expected: str) -> Any:
    value = holder.get(name)
    if value is not None and (
        not isinstance(value, kind) or (kind is int and isinstance(value, bool))
    ):
        raise _mistyped(name, value, expected)
    return value


def _texts(asked: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    messages = _of_type(asked, "messages", list, "an array") or []
    return tuple([_text(message) for message in messages])


def _text(message: object) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise _mistyped("messages", message, "an object")
    role = message.get("role")
    if role not in _ROLES:
        legal = ", ".join(f'"{name}"' for name in _ROLES)
        raise BadRequest(f'invalid role: "{str(role)[:100]}"; must be one of {legal}', "messages")
    content = _of_type(message, "content", str, "a string")
    return str(role), str(content or "")


def _tools(asked: Mapping[str, object]) -> tuple[ToolOffer, ...]:
    tools = _of_type(asked, "tools", list, "an array") or []
    offers = []
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise _mistyped("tools", tool, "a function with a name")
        parameters = _of_type(function, "parameters", dict, "an object") or {}
        offers.append(ToolOffer(name=name, parameters=parameters))
    return tuple(offers)


def _schema(wanted: object) -> Mapping[str, object] | None:
    if wanted in (None, ""):
        return None
    if wanted == "json":
        return _ANY_OBJECT
    if isinstance(wanted, dict):
        return wanted
    shown = str(wanted)[:100]
    raise BadRequest(f'invalid format: "{shown}"; expected "json" or a valid JSON Schema', "format")


def _thinks(wanted: object) -> bool:
    if wanted is None or isinstance(wanted, bool):
        return bool(wanted)
    if wanted in _EFFORTS:
        return True
    shown = str(wanted)[:100]
    raise BadRequest(f'invalid think value: "{shown}" (must be "high", "medium", "low", or a bool)')


def _stops(options: Mapping[str, object]) -> tuple[str, ...]:
    given = options.get("stop")
    stops = [given] if isinstance(given, str) else given or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise BadRequest('option "stop" must be of type array', "options")
    return tuple([stop for stop in stops if stop])


def _limit(options: Mapping[str, object]) -> int | None:
    for name in ("temperature", "top_p"):
        share = options.get(name)
        if share is not None and (not isinstance(share, int | float) or isinstance(share, bool)):
            raise BadRequest(f'option "{name}" must be of type float32', "options")
    wanted = options.get("num_predict")
    if wanted is None:
        return None
    # A negative number is no limit; none is also what fits into no 32 bits.
    if not isinstance(wanted, int) or isinstance(wanted, bool) or abs(wanted) > _LIMIT_MAX:
        raise BadRequest('option "num_predict" must be of type integer', "options")
    return wanted if wanted > 0 else None


def _context(options: Mapping[str, object]) -> int | None:
    wanted = options.get("num_ctx")
    if wanted is None:
        return None
    if not isinstance(wanted, int) or isinstance(wanted, bool) or abs(wanted) > _LIMIT_MAX:
        raise BadRequest('option "num_ctx" must be of type integer', "options")
    return max(wanted, _CONTEXT_MIN) if wanted > 0 else None


def _logprobs(asked: Mapping[str, object]) -> int | None:
    top = asked.get("top_logprobs")
    if top is not None and (
        not isinstance(top, int) or isinstance(top, bool) or not 0 <= top <= _LOGPROBS_MAX
    ):
        raise BadRequest(f"top_logprobs must be between 0 and {_LOGPROBS_MAX}", "top_logprobs")
    if _of_type(asked, "logprobs", bool, "a boolean"):
        return top or 0
    if top:
        raise BadRequest("top_logprobs needs logprobs to be true", "top_logprobs")
    return None


def _check_keep_alive(wanted: object) -> None:
    if wanted is None:
        return
    if isinstance(wanted, int | float) and not isinstance(wanted, bool) and math.isfinite(wanted):
        return
    if not isinstance(wanted, str) or not _DURATION.fullmatch(wanted):
        raise BadRequest(f'time: invalid duration "{str(wanted)[:100]}"', "keep_alive")
