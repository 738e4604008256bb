"""An answer that calls tools and says that it ended for another reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from chaoscheck.plan.fault_kinds.parameters import require_one_of
from chaoscheck.plan.fault_kinds.tool_call_fault import ToolCallFault
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls

__all__ = ["WrongFinishReason"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WrongFinishReason(ToolCallFault):
    """Call the tools, and say ``stop`` (Anthropic: ``end_turn``) or ``length`` as the reason.

    With ``length`` the calls are whole all the same. The Responses API, Gemini and Ollama say the
    same of a text and of calls, so ``stop`` does not apply there.
    """

    name: ClassVar[str] = "wrong_finish_reason"

    reason: Literal["stop", "length"] = "stop"

    def __post_init__(self) -> None:
        require_one_of(self.name, "reason", self.reason, ("stop", "length"))

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        """The good calls, and another ending."""
        return (good.calls, self.reason) if self.reason in good.form.endings else None
