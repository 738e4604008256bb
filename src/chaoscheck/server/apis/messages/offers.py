"""The tools that a request of Anthropic's Messages API offers, and which it wants called.

A tool of the client's own has a name and an ``input_schema``. Anthropic's own tools have a type and
a name: some run at the client and have schemas that are known, others run at Anthropic, which this
server cannot, so that none of these can be forced (API reference, "Tool use").
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import ToolOffer

__all__ = ["offered_tools", "tools_to_call"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Types of Anthropic's tools, without the date at their end, that the client runs.
_TEXT = {"type": "string"}
_CLIENT_SCHEMAS: Mapping[str, Mapping[str, object]] = {
    "bash": {"type": "object", "properties": {"command": _TEXT}, "required": ["command"]},
    "computer": {
        "type": "object",
        "properties": {"action": {"const": "screenshot"}},
        "required": ["action"],
    },
    "memory": {
        "type": "object",
        "properties": {"command": {"const": "view"}, "path": {"const": "/memories"}},
        "required": ["command", "path"],
    },
    "text_editor": {
        "type": "object",
        "properties": {"command": {"const": "view"}, "path": _TEXT},
        "required": ["command", "path"],
    },
}
_DATE = re.compile(r"_\d{8}$")
_CHOICES = ("auto", "any", "tool", "none")


def offered_tools(asked: Mapping[str, object]) -> tuple[ToolOffer, ...]:
    """The request's tools in order; BadRequest for one that cannot be offered."""
    tools = asked.get("tools")
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise BadRequest("tools: Input should be a valid list", "tools")
    offers = tuple([_offer(f"tools.{at}", tool) for at, tool in enumerate(tools)])
    if len({offer.name for offer in offers}) < len(offers):
        raise BadRequest("tools: Tool names must be unique.", "tools")
    return offers


def _offer(where: str, tool: object) -> ToolOffer:
    if not isinstance(tool, dict):
        raise BadRequest(f"{where}: Input should be a valid dictionary or object", "tools")
    kind = tool.get("type") or "custom"
    where = f"{where}.{str(kind)[:100]}"
    name = tool.get("name")
    if name is None:
        raise BadRequest(f"{where}.name: Field required", "tools")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(f"{where}.name: String should match pattern '^{_NAME.pattern}$'", "tools")
    schema = tool.get("input_schema")
    if schema is None and kind != "custom":
        family = _DATE.sub("", kind) if isinstance(kind, str) else ""
        known = _CLIENT_SCHEMAS.get(family)
        return ToolOffer(name=name, parameters=known or {}, hosted=None if known else str(kind))
    if schema is None:
        raise BadRequest(f"{where}.input_schema: Field required", "tools")
    if not isinstance(schema, dict):
        raise BadRequest(
            f"{where}.input_schema: Input should be a valid dictionary or object", "tools"
        )
    if schema.get("type") != "object":
        problem = "Input should be 'object'" if "type" in schema else "Field required"
        raise BadRequest(f"{where}.input_schema.type: {problem}", "tools")
    return ToolOffer(name=name, parameters=schema)


def tools_to_call(
    asked: Mapping[str, object], tools: tuple[ToolOffer, ...]
) -> tuple[tuple[str, ...], int | None]:
    """The names of which one must be called, and how many calls there may be (None: any number).

    BadRequest for a choice that the offered tools do not allow.
    """
    choice = asked.get("tool_choice")
    if choice is None:
        return (), None
    if not isinstance(choice, dict):
        raise BadRequest("tool_choice: Input should be a valid dictionary or object", "tool_choice")
    kind = choice.get("type")
    if kind not in _CHOICES:
        tags = ", ".join(f"'{tag}'" for tag in _CHOICES)
        problem = "Field required" if kind is None else f"Input should be one of {tags}"
        raise BadRequest(f"tool_choice.type: {problem}", "tool_choice")
    if kind == "none":
        return (), 0
    if not tools:
        raise BadRequest(
            "tool_choice: tool_choice may only be specified while providing tools.", "tool_choice"
        )
    calls_max = 1 if choice.get("disable_parallel_tool_use") is True else None
    if kind == "auto":
        return (), calls_max
    names = tuple([tool.name for tool in tools])
    if kind == "tool":
        names = (_named(choice, names),)
    able = tuple([tool.name for tool in tools if tool.name in names and tool.hosted is None])
    if not able:
        hosted = ", ".join([tool.hosted for tool in tools if tool.name in names and tool.hosted])
        raise BadRequest(f"This model does not support tool types: {hosted[:200]}.", "tools")
    return able, calls_max


def _named(choice: Mapping[str, object], names: tuple[str, ...]) -> str:
    name = choice.get("name")
    if name is None:
        raise BadRequest("tool_choice.tool.name: Field required", "tool_choice")
    if not isinstance(name, str) or name not in names:
        raise BadRequest(
            f"tool_choice: Tool '{str(name)[:200]}' not found in provided tools", "tool_choice"
        )
    return name
