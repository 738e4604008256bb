"""A call of a tool that leaves out an argument which the tool requires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.tool_call_fault import (
    OneCallFault,
    arguments_of,
    with_arguments,
)
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["MissingToolArgument"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MissingToolArgument(OneCallFault):
    """Leave out required argument number ``at`` of call number ``call``, both counted from 0.

    Places beyond the last mean the last; a call of a tool that requires nothing is passed over.
    """

    name: ClassVar[str] = "missing_tool_argument"

    at: int = 0

    def check(self) -> None:
        """Refuse a place out of range (PlanError)."""
        require_integer(self.name, "at", self.at, 0)

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The other arguments."""
        arguments = arguments_of(call)
        if arguments is None or not good.may_fit(call.name, arguments):
            return None
        without = [
            {name: value for name, value in arguments.items() if name != left_out}
            for left_out in arguments
        ]
        wrong = [others for others in without if not good.may_fit(call.name, others)]
        return with_arguments(call, wrong[min(self.at, len(wrong) - 1)]) if wrong else None
