"""A client of this folder: how it asks for an answer and for a stream, and how long it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CONNECT_TIMEOUT_S", "TEXT", "Client"]

TEXT = "one two three four five six"  # what is asked, and what an echoing server answers
CONNECT_TIMEOUT_S = 30.0  # never reached: it is the silence after that a scene is about

# Takes a chaos server's URL and the seconds to wait for the next byte; returns the text.
Ask = Callable[[str, float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How a program uses a package; retries are those that the package does by default.

    ``waits_s`` is how long it waits for a silent server unless a time-out is set: seconds, or
    None if for ever. ``stream`` is None where the package streams nothing of this kind.
    """

    package: str
    ask: Ask
    stream: Ask | None
    waits_s: float | None
