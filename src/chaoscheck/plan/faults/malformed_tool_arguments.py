"""A call of a tool whose arguments are no JSON, as models write it now and then."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from chaoscheck.plan.fault_kinds.parameters import require_one_of
from chaoscheck.plan.fault_kinds.tool_call_fault import OneCallFault, arguments_of
from chaoscheck.plan.tool_calls import CallEnding, ToolCall, ToolCalls

__all__ = ["MalformedToolArguments"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MalformedToolArguments(OneCallFault):
    """Write the arguments of call number ``call`` so that they are no JSON.

    ``style`` is a ``trailing_comma``, ``single_quotes`` as Python writes a dict, a Markdown
    ``code_fence`` around the JSON, or ``prose`` before it. Gemini and Ollama, whose arguments are
    objects, report a call that they could not read; Anthropic's whole messages cannot say one.
    """

    name: ClassVar[str] = "malformed_tool_arguments"

    style: Literal["trailing_comma", "single_quotes", "code_fence", "prose"] = "trailing_comma"

    def check(self) -> None:
        """Refuse an unknown style (PlanError)."""
        legal = ("trailing_comma", "single_quotes", "code_fence", "prose")
        require_one_of(self.name, "style", self.style, legal)

    def ending_of(self, good: ToolCalls) -> CallEnding | None:
        """As usual where text can be said, else in the API's words for a call it cannot read."""
        if good.form.passes == "text":
            return "call"
        return "malformed" if "malformed" in good.form.endings else None

    def changed(self, call: ToolCall, good: ToolCalls) -> ToolCall | None:
        """The same arguments as no JSON parser takes them."""
        if call.custom:
            return None
        text = self._written(call)
        return None if _is_json(text) else replace(call, arguments=text)

    def _written(self, call: ToolCall) -> str:
        said = call.arguments.strip()
        match self.style:
            case "trailing_comma":
                return f"{said[:-1]},{said[-1:]}"
            case "single_quotes":
                read = arguments_of(call)
                return said if read is None else repr(read)
            case "code_fence":
                return f"```json\n{said}\n```"
            case "prose":
                return f"Here are the arguments: {said}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True
