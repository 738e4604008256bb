"""A call of a tool with an argument that the tool does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import shown
from chaoscheck.plan.fault_kinds.tool_call_fault import (
    OneCallFault,
    arguments_of,
    with_arguments,
)
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["ExtraToolArgument"]

_LENGTH_MAX = 64  # characters


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExtraToolArgument(OneCallFault):
    """Pass one more argument in call number ``call``: ``argument``, whose value is its own name.

    Where the call has an argument of that name already, ``_`` is added to the name.
    """

    name: ClassVar[str] = "extra_tool_argument"

    argument: str = "unexpected"

    def check(self) -> None:
        """Refuse a name that is no text of 1 to 64 characters (PlanError)."""
        named = self.argument
        if not isinstance(named, str) or not 1 <= len(named) <= _LENGTH_MAX:
            raise PlanError(
                f"{self.name}: argument must be a text of 1 to {_LENGTH_MAX} characters, "
                f"got {shown(named)}"
            )

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """All arguments, and that one."""
        arguments = arguments_of(call)
        if arguments is None:
            return None
        named = self.argument
        while named in arguments:
            named += "_"
        return with_arguments(call, {**arguments, named: named})
