"""What a chat completion is asked to be, beside its model and messages: OpenAI's parameters.

Unknown parameters are left alone, as every provider has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.parameters import (
    array,
    choice_of,
    flag,
    integer,
    mapping,
    number,
    one_of,
    refuse_unsupported,
    text,
    unsupported,
    wrong_type,
)
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.response_formats import format_schema
from chaoscheck.server.apis.token_logprobs import ALTERNATIVES_MAX
from chaoscheck.server.apis.tool_offers import NO_TOOLS, Offered, offered, offered_functions

__all__ = [
    "PLAIN",
    "ChatOptions",
    "chat_options",
    "cut_at_stops",
    "include_usage_of",
    "require_chat_roles",
    "stops_of",
]

_N_MAX = 128  # choices, as OpenAI has it
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_VERBOSITIES = ("low", "medium", "high")
# What models of text alone cannot do.
_UNSUPPORTED = ("audio", "moderation", "web_search_options")
_STOPS_MAX = 4
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KNOWN_ROLES = frozenset(_ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """``limit`` is in tokens; ``schema`` is that of a JSON object which the text has to be.

    ``logprobs`` is how many likeliest tokens are said of each; None says nothing of likelihood.
    ``legacy`` says that functions were offered, whose calls are written otherwise than those of
    tools.
    """

    stream: bool = False
    include_usage: bool = False
    n: int = 1
    limit: int | None = None
    stops: tuple[str, ...] = ()
    offered: Offered = NO_TOOLS
    schema: Mapping[str, object] | None = None
    logprobs: int | None = None
    legacy: bool = False
    tiered: bool = False


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
    _check_unused(asked)
    stream = flag(asked, "stream")
    return ChatOptions(
        stream=stream,
        include_usage=include_usage_of(asked, stream),
        n=integer(asked, "n", 1, _N_MAX) or 1,
        limit=_limit(asked),
        stops=stops_of(asked),
        offered=_offers(asked),
        schema=_schema(asked),
        logprobs=_logprobs(asked),
        legacy=bool(asked.get("functions")),
        tiered=asked.get("service_tier") is not None,
    )


def _check_unused(asked: Mapping[str, object]) -> None:
    """Refuse what is malformed, or beyond a model of text; what is left changes no answer."""
    for name in ("parallel_tool_calls", "store"):
        flag(asked, name)
    for name in ("metadata", "logit_bias", "prediction"):
        mapping(asked, name)
    for name in ("user", "prompt_cache_key", "safety_identifier"):
        text(asked, name)
    integer(asked, "seed", -(2**63), 2**63 - 1)
    choice_of(asked, "service_tier", _TIERS)
    choice_of(asked, "reasoning_effort", _EFFORTS)
    choice_of(asked, "verbosity", _VERBOSITIES)
    for index, modality in enumerate(array(asked, "modalities") or []):
        if one_of(f"modalities[{index}]", modality, ("text", "audio")) == "audio":
            raise unsupported("modalities", "audio", ("text",))
    refuse_unsupported(asked, _UNSUPPORTED)


def _offers(asked: Mapping[str, object]) -> Offered:
    if asked.get("functions") is None and asked.get("function_call") is None:
        return offered(asked, nested=True)
    if asked.get("tools") is not None or asked.get("tool_choice") is not None:
        message = "'functions' and 'tools' cannot be specified at the same time; use 'tools'."
        raise BadRequest(message, "functions", "invalid_parameter_combination")
    return offered_functions(asked)


def _logprobs(asked: Mapping[str, object]) -> int | None:
    top = integer(asked, "top_logprobs", 0, ALTERNATIVES_MAX)
    if flag(asked, "logprobs"):
        return top or 0
    if top:
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise BadRequest(message, "top_logprobs")
    return None


def require_chat_roles(texts: list[tuple[str, str]]) -> None:
    """Refuse a message of a role that OpenAI does not know."""
    for index, (role, _) in enumerate(texts):
        if role not in _KNOWN_ROLES:
            one_of(f"messages[{index}].role", role, _ROLES)


def cut_at_stops(said: str, stops: tuple[str, ...]) -> str:
    """``said`` before the first of the stop sequences."""
    found = [at for at in (said.find(stop) for stop in stops) if at >= 0]
    return said[: min(found)] if found else said


def include_usage_of(asked: Mapping[str, object], stream: bool) -> bool:
    """Whether a stream has to say its usage; BadRequest where nothing is streamed."""
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


def stops_of(asked: Mapping[str, object]) -> tuple[str, ...]:
    """The stop sequences, at most four, none of them empty."""
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
