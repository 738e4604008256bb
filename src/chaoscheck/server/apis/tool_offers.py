"""Tools that a request offers, and which of them has to be called.

Chat completions nest a tool under its type, the Responses API does not; that is ``nested``. A tool
of the client's own is a ``function`` or a ``custom`` one. Others run at the provider: they are
legal in the Responses API, and never called, so that a choice of one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaoscheck.server.apis.parameters import (
    array,
    mapping,
    missing,
    one_of,
    text,
    unsupported,
    wrong_type,
)
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.speaker import ToolOffer

__all__ = ["NO_TOOLS", "Offered", "offered", "offered_functions"]

_TOOLS_MAX = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MODES = ("none", "auto", "required")
_OWN_KINDS = ("function", "custom")
_INPUTS = ("text", "grammar")


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
    return _chosen(choice, tuple(read), nested)


def offered_functions(asked: Mapping[str, object]) -> Offered:
    """What ``functions`` and ``function_call`` say, which tools have taken the place of."""
    functions = array(asked, "functions", length_max=_TOOLS_MAX)
    choice = asked.get("function_call")
    if not functions:
        if choice is None:
            return NO_TOOLS
        message = "Invalid value for 'function_call': 'function_call' is only allowed when"
        raise BadRequest(f"{message} 'functions' are specified.", "function_call")
    tools = tuple([_named(it, f"functions[{at}]", {}) for at, it in enumerate(functions)])
    if not isinstance(choice, dict):
        mode = "auto" if choice is None else one_of("function_call", choice, _MODES[:2])
        return NO_TOOLS if mode == "none" else Offered(tools=tools)
    name = text(choice, "name", "function_call.")
    if name is None:
        raise missing("function_call.name")
    _require_offered(name, [tool.name for tool in tools], "function_call", "functions")
    return Offered(tools=tools, must_call=(name,))


def _offer(tool: object, where: str, nested: bool) -> ToolOffer:
    if not isinstance(tool, dict):
        raise wrong_type(where, "an object", tool)
    kind = text(tool, "type", f"{where}.")
    if kind is None:
        raise missing(f"{where}.type")
    if kind not in _OWN_KINDS:
        # Chat completions know no others; but OpenRouter's, which bear its name.
        if nested and not kind.startswith("openrouter:"):
            one_of(f"{where}.type", kind, _OWN_KINDS)
        return ToolOffer(name="", parameters={}, hosted=kind)
    holder: object = tool
    if nested:
        holder = mapping(tool, kind, f"{where}.")
        where = f"{where}.{kind}"
        if holder is None:
            raise missing(where)
    return _named(holder, where, tool, custom=kind == "custom")


def _named(
    holder: object, where: str, tool: Mapping[str, object], *, custom: bool = False
) -> ToolOffer:
    if not isinstance(holder, dict):
        raise wrong_type(where, "an object", holder)
    name = text(holder, "name", f"{where}.")
    if name is None:
        raise missing(f"{where}.name")
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"Invalid '{where}.name': string does not match pattern. Expected a string that"
            " matches the pattern '^[a-zA-Z0-9_-]+$'.",
            f"{where}.name",
            "invalid_value",
        )
    if custom:
        _require_free_text(mapping(holder, "format", f"{where}."), f"{where}.format")
        return ToolOffer(name=name, parameters={}, custom=True)
    return ToolOffer(name=name, parameters=mapping(holder, "parameters", f"{where}.") or {})


def _require_free_text(wanted: Mapping[str, object] | None, where: str) -> None:
    """Refuse a grammar: no speaker can be made to keep one."""
    if wanted is None:
        return
    if wanted.get("type") is None:
        raise missing(f"{where}.type")
    if one_of(f"{where}.type", wanted["type"], _INPUTS) == "grammar":
        raise unsupported(f"{where}.type", "grammar", _INPUTS[:1])


def _chosen(choice: object, tools: tuple[ToolOffer, ...], nested: bool) -> Offered:
    if not isinstance(choice, dict):
        mode = "auto" if choice is None else one_of("tool_choice", choice, _MODES)
        if mode == "none":
            return NO_TOOLS
        return _able(tools, tools if mode == "required" else ())
    kind = choice.get("type")
    if kind == "allowed_tools":
        return _allowed(choice, tools, nested)
    if kind not in _OWN_KINDS:
        if nested or not isinstance(kind, str):
            one_of("tool_choice.type", kind, (*_OWN_KINDS, "allowed_tools"))
        return _able(tools, [ToolOffer(name="", parameters={}, hosted=str(kind))])
    name = _chosen_name(choice, str(kind), "tool_choice", nested)
    mine = [tool for tool in tools if tool.custom is (kind == "custom") and not tool.hosted]
    _require_offered(name, [tool.name for tool in mine], "tool_choice", "tools")
    return _able(tools, [tool for tool in mine if tool.name == name])


def _able(tools: Sequence[ToolOffer], must_call: Sequence[ToolOffer]) -> Offered:
    """What can be called of ``tools``; BadRequest if all that must be called are hosted ones."""
    able = [tool.name for tool in must_call if not tool.hosted]
    if must_call and not able:
        message = f"Hosted tool '{(must_call[0].hosted or '')[:100]}' is not supported with this"
        raise BadRequest(f"{message} model.", "tools")
    own = tuple([tool for tool in tools if not tool.hosted])
    return Offered(tools=own, must_call=tuple(able))


def _allowed(choice: Mapping[str, object], tools: tuple[ToolOffer, ...], nested: bool) -> Offered:
    where = "tool_choice"
    if nested:
        choice = mapping(choice, "allowed_tools", "tool_choice.") or {}
        where = "tool_choice.allowed_tools"
    mode = one_of(f"{where}.mode", choice.get("mode"), _MODES[1:])
    own: set[str] = set()
    hosted: set[str] = set()
    for index, entry in enumerate(array(choice, "tools", f"{where}.") or []):
        if not isinstance(entry, dict):
            raise wrong_type(f"{where}.tools[{index}]", "an object", entry)
        kind = entry.get("type")
        if kind in _OWN_KINDS:
            own.add(_chosen_name(entry, str(kind), f"{where}.tools[{index}]", nested))
        elif isinstance(kind, str):
            hosted.add(kind)
    for name in sorted(own):
        _require_offered(name, [tool.name for tool in tools], "tool_choice", "tools")
    left = [tool for tool in tools if tool.name in own or tool.hosted in hosted]
    return _able(left, left if mode == "required" else ())


def _chosen_name(choice: Mapping[str, object], kind: str, where: str, nested: bool) -> str:
    if nested:
        choice = mapping(choice, kind, f"{where}.") or {}
        where = f"{where}.{kind}"
    name = text(choice, "name", f"{where}.")
    if name is None:
        raise missing(f"{where}.name")
    return name


def _require_offered(name: str, names: Sequence[str], where: str, among: str) -> None:
    if name not in names:
        said = "Tool choice" if among == "tools" else "Function"
        message = f"{said} '{name[:100]}' not found in '{among}' parameter."
        raise BadRequest(message, where, "invalid_value")
