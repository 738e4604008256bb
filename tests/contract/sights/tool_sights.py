"""What the callers of each SDK get of a tool call under each fault of calls, whole and streamed.

A call of ``forecast`` for Rome and three days is good. An SDK is told apart only where it shows
another thing than the others: most hand a broken call through, so that it is their caller's code
that meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault

__all__ = ["GOOD_CALL", "REASONS", "TOOL_SIGHTS", "ToolSight"]

GOOD_CALL = 'forecast {"city": "Rome", "days": 3}'
#: What each SDK says of a good answer's end.
REASONS: Mapping[str, str] = {
    "openai": "tool_calls",
    "openai responses": "completed",
    "anthropic": "tool_use",
    "google-genai": "STOP",
    "ollama": "stop",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSight:
    """One fault as callers meet it: ``calls`` as they are handed to them.

    ``others`` says for an SDK, or for its stream (``"anthropic streamed"``), what it raises, or
    the calls and in brackets the reason that its caller gets in their place. For those in
    ``without`` the fault does not apply: their answer is the good one.
    """

    fault: Fault
    calls: str = GOOD_CALL
    others: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def applies(self, client: str, *, streamed: bool) -> bool:
        """Whether the fault exists in what this SDK speaks."""
        named = f"{client} streamed" if streamed else f"{client} whole"
        return client not in self.without and named not in self.without

    def through(self, client: str, *, streamed: bool) -> str:
        """What the SDK raises, or the calls and the reason."""
        if not self.applies(client, streamed=streamed):
            return f"{GOOD_CALL} [{REASONS[client]}]"
        named = f"{client} streamed" if streamed else client
        other = self.others.get(named, self.others.get(client))
        return f"{self.calls} [{REASONS[client]}]" if other is None else other


_UNREAD = {
    "openai": "JSONDecodeError",
    "openai responses": "JSONDecodeError",
    "google-genai": " [MALFORMED_FUNCTION_CALL]",
    "ollama": "ResponseError",
}
_BY_OBJECT = ("anthropic", "google-genai", "ollama")

TOOL_SIGHTS: list[ToolSight] = [
    ToolSight(
        fault=faults.wrong_finish_reason(),
        others={"openai": f"{GOOD_CALL} [stop]", "anthropic": f"{GOOD_CALL} [end_turn]"},
        without=("openai responses", "google-genai", "ollama"),
    ),
    ToolSight(
        fault=faults.wrong_finish_reason(reason="length"),
        others={
            "openai": f"{GOOD_CALL} [length]",
            # Its helper for streams parses what it has put together, and refuses a cut answer.
            "openai streamed": "LengthFinishReasonError",
            "openai responses": f"{GOOD_CALL} [incomplete]",
            # Its helper for streams knows no other end than a complete response.
            "openai responses streamed": "RuntimeError",
            "anthropic": f"{GOOD_CALL} [max_tokens]",
            "google-genai": f"{GOOD_CALL} [MAX_TOKENS]",
            "ollama": f"{GOOD_CALL} [length]",
        },
    ),
    ToolSight(
        fault=faults.extra_tool_argument(argument="where"),
        calls='forecast {"city": "Rome", "days": 3, "where": "where"}',
    ),
    ToolSight(fault=faults.mistyped_tool_arguments(), calls='forecast {"city": 42, "days": 3}'),
    ToolSight(
        fault=faults.mistyped_tool_arguments(at=1), calls='forecast {"city": "Rome", "days": "3"}'
    ),
    ToolSight(fault=faults.missing_tool_argument(), calls='forecast {"days": 3}'),
    ToolSight(
        fault=faults.empty_tool_arguments(),
        calls="forecast {}",
        others={"openai": "JSONDecodeError", "openai responses": "JSONDecodeError"},
    ),
    ToolSight(
        fault=faults.double_encoded_tool_arguments(),
        calls='forecast "{\\"city\\": \\"Rome\\", \\"days\\": 3}"',
        others={
            "anthropic streamed": "ValueError from ValueError",
            "google-genai": "ValidationError",
            "ollama": "ValidationError",
        },
    ),
    ToolSight(
        fault=faults.unencoded_tool_arguments(),
        others={"openai": "TypeError", "openai responses": "TypeError"},
        without=_BY_OBJECT,
    ),
    *[
        ToolSight(
            fault=faults.malformed_tool_arguments(style=style),
            others={**_UNREAD, "anthropic streamed": "ValueError from ValueError"},
            without=("anthropic whole",),
        )
        for style in ("trailing_comma", "single_quotes", "code_fence", "prose")
    ],
    # Anthropic's SDK takes the part that is whole, which here is nothing, for all arguments.
    ToolSight(
        fault=faults.truncated_tool_arguments(),
        others={**_UNREAD, "anthropic streamed": "forecast {} [tool_use]"},
        without=("anthropic whole",),
    ),
    ToolSight(
        fault=faults.truncated_tool_arguments(after_bytes=20, ending="length"),
        others={
            **_UNREAD,
            "openai streamed": "LengthFinishReasonError",
            "openai responses streamed": "RuntimeError",
            "anthropic streamed": 'forecast {"city": "Rome"} [max_tokens]',
        },
        without=("anthropic whole",),
    ),
    ToolSight(fault=faults.unknown_tool(tool="shell"), calls='shell {"city": "Rome", "days": 3}'),
    ToolSight(fault=faults.duplicate_tool_call(), calls=f"{GOOD_CALL}; {GOOD_CALL}"),
    ToolSight(
        fault=faults.duplicate_tool_call(ids="same"),
        calls=f"{GOOD_CALL}; {GOOD_CALL}",
        others={"openai responses streamed": "RuntimeError"},
        without=("google-genai", "ollama"),
    ),
    ToolSight(fault=faults.missing_tool_call(), calls=""),
]
