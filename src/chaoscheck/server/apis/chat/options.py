"""What a chat completion is asked to be, beside its model and messages: OpenAI's parameters.

Unknown parameters are left alone, as every provider has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.parameters import (
    array,
    flag,
    integer,
    mapping,
    number,
    one_of,
    text,
    wrong_type,
)
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.response_formats import format_schema
from chaoscheck.server.apis.tool_offers import NO_TOOLS, Offered, offered

__all__ = [
    "PLAIN",
    "ChatOptions",
    "chat_options",
    "cut_at_stops",
    "require_chat_roles",
]

_N_MAX = 8  # choices; OpenAI takes 128, of which a test needs no more than these
_STOPS_MAX = 4
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KNOWN_ROLES = frozenset(_ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """``limit`` is in tokens; ``schema`` is that of a JSON object which the text has to be."""

    stream: bool = False
    include_usage: bool = False
    n: int = 1
    limit: int | None = None
    stops: tuple[str, ...] = ()
    offered: Offered = NO_TOOLS
    schema: Mapping[str, object] | None = None


#: What most requests ask for: nothing beside model and messages.
PLAIN = ChatOptions()
_PLAIN_KEYS = frozenset({"model", "messages"})


def chat_options(asked: Mapping[str, object]) -> ChatOptions:
    """The options of a chat request; BadRequest where one is malformed or out of range."""
    if asked.keys() <= _PLAIN_KEYS:  # Most are no more, and it takes microseconds to look.
        return PLAIN
    number(asked, "temperature", 0, 2)
    number(asked, "top_p", 0, 1)
    number(asked, "presence_penalty", -2, 2)
    number(asked, "frequency_penalty", -2, 2)
    integer(asked, "top_logprobs", 0, 20)
    flag(asked, "parallel_tool_calls")
    mapping(asked, "metadata")
    mapping(asked, "logit_bias")
    text(asked, "user")
    stream = flag(asked, "stream")
    return ChatOptions(
        stream=stream,
        include_usage=_include_usage(asked, stream),
        n=integer(asked, "n", 1, _N_MAX) or 1,
        limit=_limit(asked),
        stops=_stops(asked),
        offered=offered(asked, nested=True),
        schema=_schema(asked),
    )


def require_chat_roles(texts: list[tuple[str, str]]) -> None:
    """Refuse a message of a role that OpenAI does not know."""
    for index, (role, _) in enumerate(texts):
        if role not in _KNOWN_ROLES:
            one_of(f"messages[{index}].role", role, _ROLES)


def cut_at_stops(said: str, stops: tuple[str, ...]) -> str:
    """``said`` before the first of the stop sequences."""
    found = [at for at in (said.find(stop) for stop in stops) if at >= 0]
    return said[: min(found)] if found else said


def _include_usage(asked: Mapping[str, object], stream: bool) -> bool:
    options = mapping(asked, "stream_options")
    if options is None:
        return False
    if not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadRequest(message, "stream_options")
    return flag(options, "include_usage", "stream_options.")


def _limit(asked: Mapping[str, object]) -> int | None:
    old = integer(asked, "max_tokens", 1)
    new = integer(asked, "max_completion_tokens", 1)
    if old is not None and new is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not"
        raise BadRequest(f"{message} supported.", "max_tokens", "invalid_parameter_combination")
    return old if new is None else new


def _stops(asked: Mapping[str, object]) -> tuple[str, ...]:
    given = asked.get("stop")
    if given is None:
        return ()
    if isinstance(given, str):
        return (given,) if given else ()
    stops = array(asked, "stop", length_max=_STOPS_MAX) or []
    for index, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise wrong_type(f"stop[{index}]", "a string", stop)
    return tuple([stop for stop in stops if isinstance(stop, str) and stop])


def _schema(asked: Mapping[str, object]) -> Mapping[str, object] | None:
    return format_schema(mapping(asked, "response_format"), "response_format", nested=True)
