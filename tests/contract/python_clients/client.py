"""A client of this folder: how it asks for an answer and for a stream, and how long it waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CONNECT_TIMEOUT_S", "FORECAST", "TEXT", "Client", "shown"]

TEXT = "one two three four five six"  # what is asked, and what an echoing server answers
#: The tool that a model must call, and its parameters' JSON Schema.
FORECAST: dict[str, Any] = {
    "name": "forecast",
    "description": "The weather to come.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
CONNECT_TIMEOUT_S = 30.0  # never reached: it is the silence after that a scene is about

# Takes a chaos server's URL and the seconds to wait for the next byte; returns the text.
Ask = Callable[[str, float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How a program uses a package; retries are those that the package does by default.

    ``waits_s`` is how long it waits for a silent server unless a time-out is set: seconds, or
    None if for ever. ``stream`` is None where the package streams nothing of this kind. ``call``
    asks with a tool that has to be called, and returns the arguments, as JSON.
    """

    package: str
    ask: Ask
    stream: Ask | None
    waits_s: float | None
    call: Ask


def shown(arguments: object) -> str:
    """What a tool is called with, as the client hands it to its caller."""
    return json.dumps(arguments, sort_keys=True)
