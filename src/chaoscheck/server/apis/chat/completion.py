"""A chat completion as a value, and how its parts are written, whole or streamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chaoscheck.server.apis.speaker import ToolCall
from chaoscheck.server.apis.sse import json_string
from chaoscheck.server.apis.token_logprobs import logprobs_json

__all__ = ["Completion", "call_json", "kind_json"]


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

    def call_id(self, choice: int, at: int) -> str:
        """The id of a choice's ``at``-th call, both counted from 0."""
        return f"call_{self.id.rpartition('-')[2]}_{choice * len(self.calls) + at}"

    def logprobs_of(self, pieces: Sequence[str]) -> str:
        """The ``logprobs`` of a choice that says these pieces of the text, as JSON."""
        if self.logprobs is None or self.calls:
            return "null"
        return logprobs_json(pieces, self.logprobs)


def kind_json(call: ToolCall) -> str:
    """The ``type`` of a call, and the name of the member that holds it."""
    kind = "custom" if call.custom else "function"
    return f'"type":"{kind}","{kind}"'


def call_json(call: ToolCall, said: str | None = None) -> str:
    """A call's name and what it passes: all of it, or ``said``."""
    passed = json_string(call.arguments if said is None else said)
    member = "input" if call.custom else "arguments"
    return f'{{"name":{json_string(call.name)},"{member}":{passed}}}'
