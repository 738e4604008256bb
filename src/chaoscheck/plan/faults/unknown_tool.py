"""A call of a tool that was not offered."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.plan.fault import shown
from chaoscheck.plan.fault_kinds.tool_call_fault import OneCallFault
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["UnknownTool"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnknownTool(OneCallFault):
    """Call ``tool``, which was not offered, with the arguments of call number ``call``.

    Where a tool of that name was offered, ``_`` is added to the name.
    """

    name: ClassVar[str] = "unknown_tool"

    tool: str = "unknown_tool"

    def check(self) -> None:
        """Refuse what no tool may be called (PlanError)."""
        if not isinstance(self.tool, str) or not _NAME.fullmatch(self.tool):
            raise PlanError(
                f"{self.name}: tool must be 1 to 64 letters of a-z, A-Z, 0-9, '_' and '-', "
                f"got {shown(self.tool)}"
            )

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same call of another tool."""
        named = self.tool
        while named in good.offered:
            named += "_"
        return replace(call, name=named)
