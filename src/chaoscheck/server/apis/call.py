"""A call of an API: what a good answer is made from, whichever API it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.pace import Pace
from chaoscheck.server.apis.speaker import Speaker
from chaoscheck.server.apis.store import Store
from chaoscheck.server.apis.token_counter import TokenCounter
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["Answered", "Api", "Call", "json_answer"]

# The good answer and the text that it says (None where the request was bad, or asks for no text).
Answered = tuple[Answer, str | None]


class Call(NamedTuple):
    """A request that has found its API; a named tuple, since every request makes one.

    ``number`` counts requests from 1 and makes ids; ``created_s`` is the server's calendar in whole
    seconds since the Unix epoch; ``model`` is what the path names (a model, a deployment), if it
    names anything; ``query`` is the target's query, undecoded. ``speaker`` says the texts, as a
    function of (key, occurrence, attempt) and the prompt. ``store`` is what the server keeps
    between requests; None keeps nothing. ``tokens`` is told what the request counts, where a plan
    limits that.
    """

    body: bytes
    headers: Mapping[bytes, bytes]
    number: int
    created_s: int
    key: str
    attempt: int
    speaker: Speaker
    model: str | None = None
    query: str = ""
    store: Store | None = None
    occurrence: int = 1
    tokens: TokenCounter | None = None

    def note_tokens(self, model: str, read: int, said: int, most: int | None = None) -> None:
        """Note how many tokens are read and said, of at most ``most``, if that is wanted."""
        if self.tokens is not None:
            self.tokens.count(model, read, said, most)

    def uncharged_tokens(self) -> TokenCounter | None:
        """A counter of its own for a part of a batch, which no quota of tokens is charged for."""
        return None if self.tokens is None else TokenCounter(self.tokens.windows)

    def pace(self) -> Pace:
        """How long the tokens of this request's answer take."""
        speaker = self.speaker
        place = (self.key, self.occurrence, self.attempt)
        return Pace(speaker.first_token_s, speaker.token_s, place)


class Api(Protocol):
    """One API: a pure function from a call to its answer."""

    def __call__(self, call: Call) -> Answered:
        """The good answer and the text it says, or a 4xx and None."""


def json_answer(said: Mapping[str, object], shape: Shape | None) -> Answer:
    """The good answer that says this object."""
    body = json.dumps(said).encode("ascii")
    return Answer(status=200, headers=(JSON_TYPE,), body=body, shape=shape)
