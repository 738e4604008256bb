"""Calls of tools in an answer, as values: a fault edits them, and their API writes them anew.

APIs differ in what a call passes: a text that should be JSON (OpenAI, and Anthropic's streams), or
a JSON value (Anthropic's whole messages, Gemini, Ollama). ``CallForm`` says what an API can say,
so that a fault which cannot exist there does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from chaoscheck.plan.answer import Answer

__all__ = ["CallEnding", "CallForm", "Encoding", "ToolCall", "ToolCalls"]

Encoding = Literal[
    "due",  # as the API has it
    "bare",  # the object itself where its text is due
    "twice",  # the JSON of the JSON text; where an object is due, its text
]

CallEnding = Literal[
    "call",  # as an answer with calls ends
    "stop",  # as a text ends
    "length",  # as a text ends that reached its limit
    "malformed",  # the API says in its own way that the model's call could not be read
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a tool: ``arguments`` is a JSON object as text, or any text if it is ``custom``.

    ``repeats`` is the place, counted from 0, of the earlier call that this one repeats, with an
    id of its ``own`` or the ``same`` one; None for a call that repeats none.
    """

    name: str
    arguments: str
    custom: bool = False
    encoding: Encoding = "due"
    repeats: int | None = None
    ids: Literal["own", "same"] = "own"

    def place(self, at: int) -> int:
        """The place that the id of the ``at``-th call is made from."""
        return at if self.repeats is None else self.repeats

    @property
    def id_suffix(self) -> str:
        """What the id ends with, so that a repeated call has an id of its own."""
        return "" if self.repeats is None or self.ids == "same" else "_again"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallForm:
    """What an API can say of calls.

    A call passes a ``text`` that should be JSON or a JSON ``value``; ``bare`` tells that a value
    may stand where the text is due. ``identified`` calls have ids. At most ``calls_max`` calls
    come in one answer. ``endings`` are those, beside ``call``, that differ from it.
    """

    passes: Literal["text", "value"]
    bare: bool = False
    identified: bool = True
    calls_max: int | None = None
    endings: frozenset[CallEnding] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalls:
    """The ``calls`` of a good answer, and how its API says others in their place.

    ``offered`` are the names of all tools that the request offers. ``may_fit(name, arguments)``
    is false where the value surely does not fit the schema of that tool. ``write(calls, ending)``
    is the same answer with these calls and this ending, of those that ``form`` allows.
    """

    calls: tuple[ToolCall, ...]
    offered: frozenset[str]
    may_fit: Callable[[str, object], bool]
    form: CallForm
    write: Callable[[tuple[ToolCall, ...], CallEnding], Answer]
