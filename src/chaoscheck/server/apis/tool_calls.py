"""Calls of tools: demanded by a request, though the speaker did not think of them.

A request can insist on a call (``tool_choice``); then a speaker that only talks is given one, whose
arguments fit the tool's schema. So is a response format: what is said is made to fit it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from chaoscheck.plan.answer import Answer
from chaoscheck.plan.tool_calls import CallEnding, CallForm, ToolCall, ToolCalls
from chaoscheck.server.apis.json_checking import fits, may_fit
from chaoscheck.server.apis.json_fitting import fitting
from chaoscheck.server.apis.speaker import Prompt, Reply, ToolOffer

__all__ = [
    "calls_of",
    "forced_call",
    "json_that_fits",
    "passed_text",
    "passed_value",
    "text_that_fits",
    "tool_calls",
    "unread_call",
]


def calls_of(prompt: Prompt, reply: Reply) -> tuple[ToolCall, ...]:
    """The calls that answer ``prompt``: the speaker's, or one that the prompt demands; else none.

    A speaker calls nothing that was not offered.
    """
    if not prompt.tools:
        return ()
    called = _callable(prompt, reply.tool_calls) if reply.tool_calls else ()
    if called or not prompt.must_call:
        return called
    return (forced_call(prompt),)


def _callable(prompt: Prompt, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    # What the speaker would call, as far as it was offered, and is what has to be called.
    offers = {tool.name: tool for tool in prompt.tools if tool.hosted is None}
    legal = prompt.must_call or offers
    return tuple(
        [
            replace(call, custom=True) if offers[call.name].custom else call
            for call in calls
            if call.name in offers and call.name in legal
        ]
    )


def forced_call(prompt: Prompt) -> ToolCall:
    """A call of the first tool that has to be called; its strings are the prompt's text."""
    name = prompt.must_call[0]
    tool = next((tool for tool in prompt.tools if tool.name == name), None)
    if tool is not None and tool.custom:
        return ToolCall(name=name, arguments=prompt.text, custom=True)
    schema = {} if tool is None else tool.parameters
    return ToolCall(name=name, arguments=_json(_object(schema, prompt.text)))


def tool_calls(
    calls: tuple[ToolCall, ...],
    tools: Sequence[ToolOffer],
    form: CallForm,
    write: Callable[[tuple[ToolCall, ...], CallEnding], Answer],
) -> ToolCalls | None:
    """What faults need of the calls in an answer to a request with these tools; None without any.

    ``write`` makes the same answer with other calls, and another ending.
    """
    if not calls:
        return None
    schemas = {tool.name: tool.parameters for tool in tools}
    return ToolCalls(
        calls=calls,
        offered=frozenset(schemas),
        may_fit=lambda name, value: may_fit(schemas.get(name, {}), value),
        form=form,
        write=write,
    )


def passed_text(call: ToolCall) -> str:
    """What a call passes where its API has a text: JSON, unless the tool is a custom one."""
    return json.dumps(call.arguments) if call.encoding == "twice" else call.arguments


def passed_value(call: ToolCall) -> object:
    """What a call passes where its API has an object; an empty one for what is none."""
    if call.encoding == "twice":
        return call.arguments
    try:
        read = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def unread_call(calls: Sequence[ToolCall]) -> tuple[int, str, str]:
    """The place of the first call whose arguments are no JSON, these, and what is wrong there.

    There must be such a call: an answer is malformed for no other reason.
    """
    wrong = [(at, call.arguments, _syntax_error(call.arguments)) for at, call in enumerate(calls)]
    at, text, error = next((at, text, error) for at, text, error in wrong if error is not None)
    return at, text, error


def _syntax_error(text: str) -> str | None:
    """What is wrong with a JSON text, as Go's decoder says it; None if nothing is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            return "unexpected end of JSON input"
        return f"invalid character {text[error.pos]!r} looking for beginning of value"
    return None


def text_that_fits(text: str, schema: Mapping[str, object]) -> str:
    """``text`` if it is a JSON object that fits ``schema``, else one that does."""
    if text.lstrip()[:1] == "{":
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict) and fits(schema, said):
            return text
    return _json(_object(schema, text))


def json_that_fits(text: str, schema: Mapping[str, object]) -> str:
    """``text`` if it is any JSON value that fits ``schema``, else one that does."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return _json(fitting(schema, text))
    return text if fits(schema, said) else _json(fitting(schema, text))


def _object(schema: Mapping[str, object], text: str) -> dict[str, object]:
    value = fitting(schema, text)
    return value if isinstance(value, dict) else {}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
