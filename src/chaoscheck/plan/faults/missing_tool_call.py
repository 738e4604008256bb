"""An answer that ends as if it called a tool, and calls none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls

__all__ = ["MissingToolCall"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MissingToolCall(ToolCallFault):
    """Leave out all calls of tools; the finish reason still says that there are some.

    Where an API has no such reason (Responses, Gemini, Ollama) the answer is good and empty.
    """

    name: ClassVar[str] = "missing_tool_call"

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        """No call, and the good ending."""
        return (), "call"
