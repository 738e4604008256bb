"""An answer that calls a tool twice with the same arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from chaoscheck.plan.fault_kinds.parameters import require_integer, require_one_of
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls

__all__ = ["DuplicateToolCall"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DuplicateToolCall(ToolCallFault):
    """Say call number ``call`` again behind all calls, with an id of its ``own`` or the ``same``.

    Calls are counted from 0, and places beyond the last mean the last. Legacy functions know one
    call only; calls of Gemini and Ollama have no ids that could be the same.
    """

    name: ClassVar[str] = "duplicate_tool_call"

    ids: Literal["own", "same"] = "own"
    call: int = 0

    def __post_init__(self) -> None:
        require_one_of(self.name, "ids", self.ids, ("own", "same"))
        require_integer(self.name, "call", self.call, 0)

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        """The good calls and one more."""
        most = good.form.calls_max
        if most is not None and len(good.calls) >= most:
            return None
        if self.ids == "same" and not good.form.identified:
            return None
        at = min(self.call, len(good.calls) - 1)
        again = replace(good.calls[at], repeats=at, ids=self.ids)
        return (*good.calls, again), "call"
