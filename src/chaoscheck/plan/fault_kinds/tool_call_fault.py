"""Faults of tool calls: what they share.

They strike answers that call tools, and say other calls in place of the good ones; all else of the
answer stays as it is, token counts included. A fault that an API cannot express does not apply to
its answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.fault import Fault
from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls

__all__ = ["OneCallFault", "ToolCallFault", "arguments_of", "with_arguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToolCallFault(Fault):
    """A fault that says other calls of tools than the good answer: those of ``edited``."""

    def applies_to(self, answer: Answer) -> bool:
        """Where the answer has a call that this fault can change, in a way its API can say."""
        return answer.calls is not None and self.edited(answer.calls) is not None

    def on_answer(self, answer: Answer) -> Answer:
        """The same answer with other calls; as it is where the fault does not apply."""
        good = answer.calls
        edited = None if good is None else self.edited(good)
        if good is None or edited is None:  # A script may force a fault upon any answer.
            return answer
        return good.write(*edited)._replace(delay_s=answer.delay_s, at_s=answer.at_s)

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        """The calls that are said, and how the answer ends; None where that cannot be."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OneCallFault(ToolCallFault):
    """A fault of one call: number ``call``, counted from 0, or the next that it can change.

    Where there is no such call, the last one before it is changed.
    """

    call: int = 0

    def __post_init__(self) -> None:
        require_integer(self.name, "call", self.call, 0)
        self.check()

    def check(self) -> None:
        """Refuse further parameters out of range (PlanError)."""

    def edited(self, good: ToolCalls) -> tuple[tuple[ToolCall, ...], CallEnding] | None:
        """The good calls, one of them changed."""
        ending = self.ending_of(good)
        if ending is None:
            return None
        changed = [(at, self.changed(call, good)) for at, call in enumerate(good.calls)]
        able = [(at, other) for at, other in changed if other is not None]
        if not able:
            return None
        at, other = next(((at, other) for at, other in able if at >= self.call), able[-1])
        return (*good.calls[:at], other, *good.calls[at + 1 :]), ending

    def ending_of(self, good: ToolCalls) -> CallEnding | None:
        """How the answer ends; None where its API cannot say such a call at all."""
        return "call"

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """What is said in place of ``call``; None where this fault changes nothing of it."""
        return None


def arguments_of(call: ToolCall) -> dict[str, Any] | None:
    """What the call passes, read; None if that is no JSON object, or is not meant to be one."""
    if call.custom:
        return None
    try:
        read = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def with_arguments(call: ToolCall, arguments: object) -> ToolCall:
    """The same call that passes ``arguments``, written compactly and in ASCII."""
    return replace(call, arguments=json.dumps(arguments, separators=(",", ":")))
