"""A response as a document: what it repeats of its request, and the items of its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chaoscheck.plan.tool_calls import CallForm, ToolCall
from chaoscheck.server.apis.call import Call
from chaoscheck.server.apis.pieces import pieces_of
from chaoscheck.server.apis.responses.request import ResponseAsked
from chaoscheck.server.apis.token_logprobs import token_logprobs
from chaoscheck.server.apis.tool_calls import passed_text, passed_value

__all__ = ["CALL_FORM", "call_items", "message_item", "response_document"]

#: What can be said of calls; a response ends the same with a text and with calls.
CALL_FORM = CallForm(passes="text", bare=True, endings=frozenset({"length"}))

# What a response repeats of its request, with what stands for a parameter that is absent.
_REPEATED: Mapping[str, object] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def message_item(number: int, text: str, logprobs: int | None) -> dict[str, object]:
    """The item of an answer that is a text, with the likelihoods that were asked for."""
    likely = [] if logprobs is None else token_logprobs(pieces_of(text), logprobs)
    content = {"type": "output_text", "annotations": [], "logprobs": likely, "text": text}
    return {
        "id": f"msg_{number:06d}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }


def call_items(number: int, calls: Sequence[ToolCall]) -> list[dict[str, object]]:
    """The items of calls of functions and of custom tools."""
    return [_call_item(number, at, call) for at, call in enumerate(calls)]


def _call_item(number: int, at: int, call: ToolCall) -> dict[str, object]:
    place = f"{number:06d}_{call.place(at)}"
    # What a call repeats is the call's id; an item has one of its own.
    ending = place if call.repeats is None else f"{place}_again"
    common = {
        "status": "completed",
        "call_id": f"call_{place}{call.id_suffix}",
        "name": call.name,
    }
    if call.custom:
        kind = {"id": f"ctc_{ending}", "type": "custom_tool_call"}
        return {**kind, **common, "input": call.arguments}
    kind = {"id": f"fc_{ending}", "type": "function_call"}
    bare = call.encoding == "bare"
    passed: object = passed_value(call) if bare else passed_text(call)
    return {**kind, **common, "arguments": passed}


def response_document(
    call: Call,
    asked: ResponseAsked,
    output: list[dict[str, object]],
    tokens: int,
    *,
    whole: bool,
    prefix: str,
) -> dict[str, Any]:
    """The whole response; not ``whole`` is one that ``max_output_tokens`` cut."""
    given = asked.asked
    repeated = {
        name: default if given.get(name) is None else given[name]
        for name, default in _REPEATED.items()
    }
    if not whole:
        output = [{**item, "status": "incomplete"} for item in output]
    usage = {
        "input_tokens": asked.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked.input_tokens + tokens,
    }
    return {
        "id": f"{prefix}{call.number:06d}",
        "object": "response",
        "created_at": call.created_s,
        "status": "completed" if whole else "incomplete",
        "background": asked.background,
        "error": None,
        "incomplete_details": None if whole else {"reason": "max_output_tokens"},
        "model": asked.model,
        **repeated,
        "tools": [_tool(tool) for tool in asked.tools],
        **({} if given.get("service_tier") is None else {"service_tier": "default"}),
        "output": output,
        "usage": usage,
    }


def _tool(tool: Mapping[str, object]) -> Mapping[str, object]:
    # Functions are repeated with what they left out.
    if tool.get("type") != "function":
        return tool
    return {"description": None, "parameters": None, "strict": True} | {
        name: value for name, value in tool.items() if value is not None
    }
