"""A call of a tool whose arguments are encoded as JSON once too often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaoscheck.plan.fault_kinds.tool_call_fault import OneCallFault, arguments_of
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["DoubleEncodedToolArguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DoubleEncodedToolArguments(OneCallFault):
    """Encode the arguments of call number ``call`` as JSON twice: who reads them gets a text.

    Where arguments are an object (Anthropic's whole messages, Gemini, Ollama) its JSON text takes
    the object's place.
    """

    name: ClassVar[str] = "double_encoded_tool_arguments"

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same call with another encoding."""
        return None if arguments_of(call) is None else replace(call, encoding="twice")
