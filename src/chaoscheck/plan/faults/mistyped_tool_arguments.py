"""A call of a tool with an argument of another type than the tool's schema says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from chaoscheck.plan.fault_kinds.parameters import require_integer
from chaoscheck.plan.fault_kinds.tool_call_fault import (
    OneCallFault,
    arguments_of,
    with_arguments,
)
from chaoscheck.plan.tool_calls import ToolCall, ToolCalls

__all__ = ["MistypedToolArguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MistypedToolArguments(OneCallFault):
    """Pass a value that its schema forbids as argument number ``at`` of call number ``call``.

    A number, an object and whatever else is no text becomes its JSON as a text, as models write
    it; a text becomes ``42``. Arguments whose schema allows that too become another value, and
    those that may be anything are passed over; places beyond the last mean the last.
    """

    name: ClassVar[str] = "mistyped_tool_arguments"

    at: int = 0

    def check(self) -> None:
        """Refuse a place out of range (PlanError)."""
        require_integer(self.name, "at", self.at, 0)

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same arguments but for one value."""
        arguments = arguments_of(call)
        if arguments is None or not good.may_fit(call.name, arguments):
            return None
        wrong = [
            edited
            for edited in (_mistyped(call.name, arguments, key, good) for key in arguments)
            if edited is not None
        ]
        return with_arguments(call, wrong[min(self.at, len(wrong) - 1)]) if wrong else None


def _mistyped(
    name: str, arguments: dict[str, Any], key: str, good: ToolCalls
) -> dict[str, Any] | None:
    for other in _others(arguments[key]):
        edited = {**arguments, key: other}
        if not good.may_fit(name, edited):
            return edited
    return None


def _others(value: object) -> Iterator[object]:
    """Values of other types, the likeliest mistake first."""
    yield 42 if isinstance(value, str) else json.dumps(value)
    kinds: tuple[object, ...] = ([], {}, True, 42, "wrong type", None)
    # Python's booleans are integers, so classes are compared.
    yield from (other for other in kinds if type(other) is not type(value))
