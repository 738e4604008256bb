"""Who says the texts: given what was asked, a speaker makes the reply and its timing.

A reply is text, or calls of the tools that the request offers. The default speaker echoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chaoscheck.plan.tool_calls import ToolCall
from chaoscheck.server.apis.pace import Delay

__all__ = ["Echo", "Prompt", "Reply", "Speaker", "SpeechFailed", "ToolOffer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOffer:
    """A tool that the request offers: its name and the JSON Schema of its arguments.

    A ``custom`` tool takes any text in place of JSON. ``hosted`` is the type of a tool that only
    its provider could run, and that is therefore never called; None for all others.
    """

    name: str
    parameters: Mapping[str, object]
    custom: bool = False
    hosted: str | None = None


class Prompt(NamedTuple):
    """What was asked, in no API's words.

    ``text`` is the last user message (else the last message), ``messages`` are all as (role,
    text). ``tools`` are offered; ``must_call`` names those of which one has to be called, empty
    when text will do. ``key``, ``occurrence`` and ``attempt`` say which
    request this is: ``attempt`` counts from 1 per call, ``occurrence`` the calls of the key.
    """

    text: str
    model: str
    key: str
    attempt: int
    messages: tuple[tuple[str, str], ...] = ()
    tools: tuple[ToolOffer, ...] = ()
    must_call: tuple[str, ...] = ()
    occurrence: int = 1


class Reply(NamedTuple):
    """What is said: ``text``, or ``tool_calls`` in its place."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()


class SpeechFailed(Exception):
    """A speaker has no reply to this prompt: the answer is a 500, whose message this is."""


class Speaker(Protocol):
    """Says the texts of a server.

    ``first_token_s`` seconds pass before a reply's first token, ``token_s`` before each other
    one, always the same or drawn for each request (``Call.pace``); an answer that is not streamed
    takes as long as all of them. A ``costly`` one takes tens of milliseconds of work for a reply.
    """

    @property
    def first_token_s(self) -> Delay: ...

    @property
    def token_s(self) -> Delay: ...

    @property
    def costly(self) -> bool: ...

    def reply(self, prompt: Prompt) -> Reply:
        """The reply to ``prompt``: the same for the same prompt, always. SpeechFailed if none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Says what the last user message said, at once."""

    first_token_s: float = 0.0
    token_s: float = 0.0
    costly: bool = False

    def reply(self, prompt: Prompt) -> Reply:
        """The prompt's text; no tool is ever called."""
        return Reply(text=prompt.text)
