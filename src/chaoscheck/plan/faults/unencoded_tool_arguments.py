"""A call of a tool whose arguments are an object where the text of one is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaoscheck.plan.fault_kinds.tool_call_fault import OneCallFault, arguments_of
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["UnencodedToolArguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnencodedToolArguments(OneCallFault):
    """Pass the arguments of call number ``call`` as an object, not as its JSON text.

    It strikes OpenAI's APIs, whose arguments are a text; in a stream they come in one piece.
    """

    name: ClassVar[str] = "unencoded_tool_arguments"

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same call with another encoding."""
        if not good.form.bare or arguments_of(call) is None:
            return None
        return replace(call, encoding="bare")
