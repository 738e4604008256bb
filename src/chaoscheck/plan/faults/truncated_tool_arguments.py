"""A call of a tool whose arguments break off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from chaoscheck.plan.fault_kinds.parameters import require_integer, require_one_of
from chaoscheck.plan.fault_kinds.tool_call_fault import OneCallFault
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls

__all__ = ["TruncatedToolArguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TruncatedToolArguments(OneCallFault):
    """Say ``after_bytes`` bytes of the arguments of call number ``call``, at most all but one.

    ``ending`` is what the answer says of its end: a ``call``, as gateways do, or ``length``, the
    limit of tokens. A character of several bytes is said whole or not at all. Gemini and Ollama,
    whose arguments are objects, report a call that they could not read; Anthropic's whole messages
    cannot say one.
    """

    name: ClassVar[str] = "truncated_tool_arguments"

    after_bytes: int = 8
    ending: Literal["call", "length"] = "call"

    def check(self) -> None:
        """Refuse parameters out of range (PlanError)."""
        require_integer(self.name, "after_bytes", self.after_bytes, 0)
        require_one_of(self.name, "ending", self.ending, ("call", "length"))

    def ending_of(self, good: ToolCalls) -> CallEnding | None:
        """As the parameter says, or in the API's words for a call that it could not read."""
        endings = good.form.endings
        if good.form.passes == "value":
            return "malformed" if "malformed" in endings else None
        return self.ending if self.ending == "call" or self.ending in endings else None

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same call that passes a true prefix."""
        said = call.arguments.rstrip()
        if not said:
            return None
        most = min(self.after_bytes, len(_utf8(said)) - 1)
        return replace(call, arguments=_prefix(said, most))


def _prefix(text: str, bytes_max: int) -> str:
    """As many whole characters of ``text`` as have at most so many bytes in UTF-8."""
    size = 0
    for at, character in enumerate(text):
        size += len(_utf8(character))
        if size > bytes_max:
            return text[:at]
    return text


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON may hold half of a surrogate pair
