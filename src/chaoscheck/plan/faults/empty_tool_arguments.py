"""A call of a tool that passes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaoscheck.plan.fault_kinds.tool_call_fault import OneCallFault, arguments_of
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["EmptyToolArguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EmptyToolArguments(OneCallFault):
    """Pass an empty text, which is no JSON, as the arguments of call number ``call``.

    Where arguments are an object (Anthropic's whole messages, Gemini, Ollama) it is an empty one.
    """

    name: ClassVar[str] = "empty_tool_arguments"

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same call without arguments, unless it has none anyway."""
        if good.form.passes == "text":
            return replace(call, arguments="") if call.arguments else None
        return replace(call, arguments="{}") if arguments_of(call) else None
