"""Tools that a request offers, and which of them has to be called.

Chat completions nest a function under ``function``, the Responses API does not; that is ``nested``.
Tools of other types are known to be legal and are never called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chaoscheck.server.apis.parameters import array, mapping, missing, one_of, text, wrong_type
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import ToolOffer

__all__ = ["NO_TOOLS", "Offered", "offered"]

_TOOLS_MAX = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MODES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """``tools`` may be called; one of ``must_call`` has to be, unless that is empty."""

    tools: tuple[ToolOffer, ...] = ()
    must_call: tuple[str, ...] = ()


NO_TOOLS = Offered()


def offered(asked: Mapping[str, object], *, nested: bool) -> Offered:
    """What ``tools`` and ``tool_choice`` say; BadRequest where they are malformed."""
    tools = array(asked, "tools", length_max=_TOOLS_MAX)
    choice = asked.get("tool_choice")
    if not tools:
        if choice is None or (not nested and choice in ("none", "auto")):
            return NO_TOOLS
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools'"
        raise BadRequest(f"{message} are specified.", "tool_choice")
    read = [_offer(tool, f"tools[{index}]", nested) for index, tool in enumerate(tools)]
    return _chosen(choice, tuple([offer for offer in read if offer is not None]), nested)


def _offer(tool: object, where: str, nested: bool) -> ToolOffer | None:
    if not isinstance(tool, dict):
        raise wrong_type(where, "an object", tool)
    kind = text(tool, "type", f"{where}.")
    if kind is None:
        raise missing(f"{where}.type")
    if kind != "function":
        return None
    function: Mapping[str, object] | None = tool
    if nested:
        function = mapping(tool, "function", f"{where}.")
        where = f"{where}.function"
        if function is None:
            raise missing(where)
    name = text(function or {}, "name", f"{where}.")
    if name is None:
        raise missing(f"{where}.name")
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"Invalid '{where}.name': string does not match pattern. Expected a string that"
            " matches the pattern '^[a-zA-Z0-9_-]+$'.",
            f"{where}.name",
            "invalid_value",
        )
    return ToolOffer(name=name, parameters=mapping(function or {}, "parameters", f"{where}.") or {})


def _chosen(choice: object, tools: tuple[ToolOffer, ...], nested: bool) -> Offered:
    names = tuple([tool.name for tool in tools])
    if not isinstance(choice, dict):
        mode = "auto" if choice is None else one_of("tool_choice", choice, _MODES)
        if mode == "none":
            return NO_TOOLS
        return Offered(tools=tools, must_call=names if mode == "required" else ())
    kind = choice.get("type")
    if kind == "function":
        name = _chosen_name(choice, "tool_choice", nested)
        _require_offered(name, names)
        return Offered(tools=tools, must_call=(name,))
    if kind == "allowed_tools":
        return _allowed(choice, tools, nested)
    return Offered(tools=tools)


def _allowed(choice: Mapping[str, object], tools: tuple[ToolOffer, ...], nested: bool) -> Offered:
    where = "tool_choice"
    if nested:
        choice = mapping(choice, "allowed_tools", "tool_choice.") or {}
        where = "tool_choice.allowed_tools"
    mode = one_of(f"{where}.mode", choice.get("mode"), _MODES[1:])
    allowed: set[str] = set()
    for index, entry in enumerate(array(choice, "tools", f"{where}.") or []):
        if isinstance(entry, dict) and entry.get("type") == "function":
            allowed.add(_chosen_name(entry, f"{where}.tools[{index}]", nested))
    for name in sorted(allowed):
        _require_offered(name, [tool.name for tool in tools])
    left = tuple([tool for tool in tools if tool.name in allowed])
    must_call = tuple([tool.name for tool in left]) if mode == "required" else ()
    return Offered(tools=left, must_call=must_call)


def _chosen_name(choice: Mapping[str, object], where: str, nested: bool) -> str:
    if nested:
        choice = mapping(choice, "function", f"{where}.") or {}
        where = f"{where}.function"
    name = text(choice, "name", f"{where}.")
    if name is None:
        raise missing(f"{where}.name")
    return name


def _require_offered(name: str, names: tuple[str, ...] | list[str]) -> None:
    if name not in names:
        message = f"Tool choice '{name[:100]}' not found in 'tools' parameter."
        raise BadRequest(message, "tool_choice", "invalid_value")
