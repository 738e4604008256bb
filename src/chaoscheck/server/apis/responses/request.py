"""What a request to the Responses API holds, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chaoscheck.server.apis.parameters import (
    array,
    choice_of,
    flag,
    integer,
    mapping,
    missing,
    number,
    one_of,
    refuse_unsupported,
    text,
    wrong_type,
)
from chaoscheck.server.apis.pieces import words_in
from chaoscheck.server.apis.request_body import BadRequest, NotFound, model_of, parse, part_text
from chaoscheck.server.apis.response_formats import format_schema
from chaoscheck.server.apis.token_logprobs import ALTERNATIVES_MAX
from chaoscheck.server.apis.tool_offers import Offered, offered

__all__ = ["Earlier", "ResponseAsked", "counted", "response_asked"]

_ROLES = ("user", "assistant", "system", "developer")
_NO_TEXT = ("reasoning", "item_reference", "function_call", "custom_tool_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_LOGPROBS = "message.output_text.logprobs"
_INCLUDABLE = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    _LOGPROBS,
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
_UNSUPPORTED = ("image", "moderation")


class Earlier(Protocol):
    """A response that another goes on from."""

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """The conversation up to and with it."""


#: The earlier response of an id, or None.
Find = Callable[[str], "Earlier | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAsked:
    """A checked request; ``asked`` is the whole of it, ``limit`` is in tokens.

    ``texts`` is the conversation, with what the response goes on from; ``logprobs`` is as in
    ``ChatOptions``.
    """

    asked: Mapping[str, object]
    model: str
    texts: tuple[tuple[str, str], ...]
    offered: Offered
    stream: bool
    limit: int | None
    schema: Mapping[str, object] | None
    logprobs: int | None
    background: bool
    store: bool

    @property
    def input_tokens(self) -> int:
        """How many tokens were read."""
        return _tokens(self.texts)

    @property
    def tools(self) -> list[Mapping[str, Any]]:
        """The tools as they were offered."""
        tools = self.asked.get("tools")
        return tools if isinstance(tools, list) else []

    @property
    def items(self) -> list[dict[str, Any]]:
        """The input as items; a text alone is a message."""
        given = self.asked["input"]
        if isinstance(given, list):
            return given
        content = [{"type": "input_text", "text": given}]
        return [{"type": "message", "role": "user", "content": content}]


def response_asked(body: bytes, of_path: str | None, find: Find) -> ResponseAsked:
    """Read a request; BadRequest where it is malformed or out of range."""
    asked = parse(body)
    model = model_of(asked, of_path)
    texts = _conversation(asked, find)
    if asked.get("input") is None:
        raise missing("input")
    number(asked, "temperature", 0, 2)
    number(asked, "top_p", 0, 1)
    _check_unused(asked)
    store = asked.get("store")
    background = flag(asked, "background")
    if background and store is False:
        message = "Background responses have to be stored: 'store' must not be false."
        raise BadRequest(message, "background", "invalid_parameter_combination")
    return ResponseAsked(
        asked=asked,
        model=model,
        texts=texts,
        offered=offered(asked, nested=False),
        stream=flag(asked, "stream"),
        limit=integer(asked, "max_output_tokens", 1),
        schema=_schema(asked),
        logprobs=_logprobs(asked),
        background=background,
        store=store is not False,
    )


def counted(body: bytes, find: Find) -> int:
    """How many input tokens a request has, which need not be one that could be answered."""
    asked = parse(body)
    text(asked, "model")
    offered(asked, nested=False)
    _schema(asked)
    return _tokens(_conversation(asked, find))


def _tokens(texts: tuple[tuple[str, str], ...]) -> int:
    return sum([words_in(text) for _, text in texts])


def _conversation(asked: Mapping[str, object], find: Find) -> tuple[tuple[str, str], ...]:
    instructions = text(asked, "instructions")
    texts = [("system", instructions)] if instructions else []
    previous = text(asked, "previous_response_id")
    for name in ("conversation", "prompt"):
        if asked.get(name) is not None:  # The server keeps none of these.
            raise NotFound(f"{name.capitalize()} with that id not found.", name)
    if previous is not None:
        earlier = find(previous)
        if earlier is None:
            raise BadRequest(
                f"Previous response with id '{previous[:100]}' not found.",
                "previous_response_id",
                "previous_response_not_found",
            )
        texts += [each for each in earlier.texts if each[0] != "system"]
    return tuple(texts + _texts(asked))


def _check_unused(asked: Mapping[str, object]) -> None:
    """Refuse what is malformed, or beyond a model of text; what is left changes no answer."""
    flag(asked, "parallel_tool_calls")
    flag(asked, "store")
    integer(asked, "max_tool_calls", 1)
    for name in ("metadata", "reasoning", "stream_options"):
        mapping(asked, name)
    for name in ("user", "prompt_cache_key", "safety_identifier"):
        text(asked, name)
    choice_of(asked, "truncation", ("auto", "disabled"))
    choice_of(asked, "service_tier", _TIERS)
    refuse_unsupported(asked, _UNSUPPORTED)


def _schema(asked: Mapping[str, object]) -> Mapping[str, object] | None:
    written = mapping(asked, "text") or {}
    return format_schema(mapping(written, "format", "text."), "text.format", nested=False)


def _logprobs(asked: Mapping[str, object]) -> int | None:
    top = integer(asked, "top_logprobs", 0, ALTERNATIVES_MAX)
    included = array(asked, "include") or []
    for index, name in enumerate(included):
        one_of(f"include[{index}]", name, _INCLUDABLE)
    return (top or 0) if top or _LOGPROBS in included else None


def _texts(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    given = asked.get("input")
    if given is None:
        return []
    if isinstance(given, str):
        return [("user", given)]
    if not isinstance(given, list):
        raise wrong_type("input", "one of a string or an array of input items", given)
    texts = [_item_text(item, f"input[{index}]") for index, item in enumerate(given)]
    return [text for text in texts if text is not None] or [("user", "")]


def _item_text(item: object, where: str) -> tuple[str, str] | None:
    if not isinstance(item, dict):
        raise wrong_type(where, "an object", item)
    kind = text(item, "type", f"{where}.")
    if kind in _OUTPUTS:
        if text(item, "call_id", f"{where}.") is None:
            raise missing(f"{where}.call_id")
        return "tool", _content(item.get("output"), f"{where}.output")
    if kind in _NO_TEXT or kind not in (None, "message"):
        return None
    if item.get("role") is None:
        raise missing(f"{where}.role")
    role = one_of(f"{where}.role", item["role"], _ROLES)
    return role, _content(item.get("content"), f"{where}.content")


def _content(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        raise missing(where)
    if not isinstance(content, list):
        raise wrong_type(where, "one of a string or an array of content parts", content)
    for index, part in enumerate(content):
        if not isinstance(part, dict):
            raise wrong_type(f"{where}[{index}]", "an object", part)
        if part.get("type") is None:
            raise missing(f"{where}[{index}].type")
    return "".join([part_text(where, part) for part in content])
