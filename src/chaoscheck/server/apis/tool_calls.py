"""Calls of tools: demanded by a request, though the speaker did not think of them.

A request can insist on a call (``tool_choice``); then a speaker that only talks is given one, whose
arguments fit the tool's schema. So is a response format: what is said is made to fit it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from chaoscheck.server.apis.json_fitting import fitting
from chaoscheck.server.apis.speaker import Prompt, Reply, ToolCall

__all__ = ["calls_of", "forced_call", "text_that_fits"]


def calls_of(prompt: Prompt, reply: Reply) -> tuple[ToolCall, ...]:
    """The calls that answer ``prompt``: the speaker's, or one that the prompt demands; else none.

    A speaker calls nothing that was not offered.
    """
    if not prompt.tools:
        return ()
    if reply.tool_calls:
        return reply.tool_calls
    return (forced_call(prompt),) if prompt.must_call else ()


def forced_call(prompt: Prompt) -> ToolCall:
    """A call of the first tool that has to be called; its strings are the prompt's text."""
    name = prompt.must_call[0]
    schema = next((tool.parameters for tool in prompt.tools if tool.name == name), {})
    return ToolCall(name=name, arguments=_json(_object(schema, prompt.text)))


def text_that_fits(text: str, schema: Mapping[str, object]) -> str:
    """``text`` if it is a JSON object with all that ``schema`` requires, else one that fits."""
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and all(name in said for name in names if isinstance(name, str)):
        return text
    return _json(_object(schema, text))


def _object(schema: Mapping[str, object], text: str) -> dict[str, object]:
    value = fitting(schema, text)
    return value if isinstance(value, dict) else {}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
