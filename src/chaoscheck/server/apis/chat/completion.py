"""A chat completion as a value, and how its parts are written, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from chaoscheck.plan.tool_calls import CallForm, ToolCall
from chaoscheck.server.apis.sse import json_string
from chaoscheck.server.apis.token_logprobs import logprobs_json
from chaoscheck.server.apis.tool_calls import passed_text

__all__ = ["CALL_FORM", "FUNCTION_FORM", "Completion", "call_json", "kind_json"]

#: What can be said of calls, and of those of legacy functions.
CALL_FORM = CallForm(passes="text", bare=True, endings=frozenset({"stop", "length"}))
FUNCTION_FORM = replace(CALL_FORM, identified=False, calls_max=1)

_CALLING = ("tool_calls", "function_call")


class Completion(NamedTuple):
    """What a completion says: ``choices`` times the same text, or the same ``calls``.

    ``model`` and ``usage`` are JSON. ``legacy`` calls are those of functions. ``logprobs`` is how
    many likely tokens are said of each token; None says nothing. A named tuple, since each request
    makes one.
    """

    id: str
    created_s: int
    model: str
    text: str
    calls: tuple[ToolCall, ...]
    reason: str
    choices: int
    usage: str
    legacy: bool = False
    logprobs: int | None = None

    @property
    def speaks(self) -> bool:
        """Whether it says a text, if an empty one, rather than calls."""
        return not self.calls and self.reason not in _CALLING

    def call_id(self, choice: int, at: int) -> str:
        """The id of a choice's ``at``-th call, both counted from 0."""
        call = self.calls[at]
        own = sum([each.repeats is None for each in self.calls])
        number = choice * own + call.place(at)
        return f"call_{self.id.rpartition('-')[2]}_{number}{call.id_suffix}"

    def logprobs_of(self, pieces: Sequence[str]) -> str:
        """The ``logprobs`` of a choice that says these pieces of the text, as JSON."""
        if self.logprobs is None or not self.speaks:
            return "null"
        return logprobs_json(pieces, self.logprobs)


def kind_json(call: ToolCall) -> str:
    """The ``type`` of a call, and the name of the member that holds it."""
    kind = "custom" if call.custom else "function"
    return f'"type":"{kind}","{kind}"'


def call_json(call: ToolCall, said: str | None = None) -> str:
    """A call's name and what it passes: all of it, or ``said``."""
    if said is None and call.encoding == "bare":
        passed = json.dumps(json.loads(call.arguments))
    else:
        passed = json_string(passed_text(call) if said is None else said)
    member = "input" if call.custom else "arguments"
    return f'{{"name":{json_string(call.name)},"{member}":{passed}}}'
