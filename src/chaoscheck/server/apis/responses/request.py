"""What a request to the Responses API holds, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.parameters import (
    array,
    flag,
    integer,
    mapping,
    missing,
    number,
    one_of,
    text,
    wrong_type,
)
from chaoscheck.server.apis.request_body import model_of, parse, part_text
from chaoscheck.server.apis.response_formats import format_schema
from chaoscheck.server.apis.tool_offers import Offered, offered

__all__ = ["ResponseAsked", "response_asked"]

_ROLES = ("user", "assistant", "system", "developer")
_NO_TEXT = ("reasoning", "item_reference", "function_call")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAsked:
    """A checked request; ``asked`` is the whole of it, ``limit`` is in tokens."""

    asked: Mapping[str, object]
    model: str
    texts: tuple[tuple[str, str], ...]
    offered: Offered
    stream: bool
    limit: int | None
    schema: Mapping[str, object] | None


def response_asked(body: bytes, of_path: str | None) -> ResponseAsked:
    """Read a request; BadRequest where it is malformed or out of range."""
    asked = parse(body)
    model = model_of(asked, of_path)
    texts = _texts(asked)
    instructions = text(asked, "instructions")
    number(asked, "temperature", 0, 2)
    number(asked, "top_p", 0, 1)
    integer(asked, "top_logprobs", 0, 20)
    flag(asked, "parallel_tool_calls")
    flag(asked, "store")
    flag(asked, "background")
    mapping(asked, "metadata")
    text(asked, "previous_response_id")
    written = mapping(asked, "text") or {}
    return ResponseAsked(
        asked=asked,
        model=model,
        texts=tuple([("system", instructions), *texts] if instructions else texts),
        offered=offered(asked, nested=False),
        stream=flag(asked, "stream"),
        limit=integer(asked, "max_output_tokens", 1),
        schema=format_schema(mapping(written, "format", "text."), "text.format", nested=False),
    )


def _texts(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    given = asked.get("input")
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [("user", given)]
    if not isinstance(given, list):
        raise wrong_type("input", "one of a string or an array of input items", given)
    texts = [_item_text(item, f"input[{index}]") for index, item in enumerate(given)]
    return [text for text in texts if text is not None] or [("user", "")]


def _item_text(item: object, where: str) -> tuple[str, str] | None:
    if not isinstance(item, dict):
        raise wrong_type(where, "an object", item)
    kind = item.get("type", "message")
    if not isinstance(kind, str):
        raise wrong_type(f"{where}.type", "a string", kind)
    if kind == "function_call_output":
        if text(item, "call_id", f"{where}.") is None:
            raise missing(f"{where}.call_id")
        return "tool", _content(item.get("output"), f"{where}.output")
    if kind in _NO_TEXT or kind != "message":
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
    for index, part in enumerate(array({"content": content}, "content") or []):
        if not isinstance(part, dict):
            raise wrong_type(f"{where}[{index}]", "an object", part)
        if part.get("type") is None:
            raise missing(f"{where}[{index}].type")
    return "".join([part_text(where, part) for part in content])
