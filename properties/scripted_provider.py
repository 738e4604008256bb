"""A provider that plays a script within the client's own transport: no network, no server.

What it sends follows from the row alone, so a law can say what must come out; what it was sent
is kept, so a law can say what must have gone in.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import trio

__all__ = ["Play", "Provider", "Seen", "completion", "stream_of"]

Word = Literal["ok", "refuse", "break", "overload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What a row's attempts meet: ``words`` one by one, then success; each takes ``takes_s``."""

    words: tuple[Word, ...] = ()
    takes_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came in, at ``at_s``; ``document`` is its body as JSON."""

    at_s: float
    request: httpx.Request
    document: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The prompt."""
        return str(self.document["messages"][0]["content"])


_STATUSES: Mapping[str, int] = {"refuse": 400, "overload": 429}


@dataclass(slots=True, kw_only=True)
class Provider:
    """``httpx.MockTransport(provider)``: answers by the plays, keyed by prompt."""

    plays: dict[str, Play] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """One attempt, as the script says. Raise ConnectError where the connection breaks."""
        seen = Seen(at_s=trio.current_time(), request=request, document=json.loads(request.content))
        self.seen.append(seen)
        self.counts[seen.text] += 1
        play = self.plays.get(seen.text, Play())
        await trio.sleep(play.takes_s)
        number = self.counts[seen.text]
        word = play.words[number - 1] if number <= len(play.words) else "ok"
        if word == "break":
            raise httpx.ConnectError("no connection", request=request)
        if word != "ok":
            return httpx.Response(_STATUSES[word], json={"error": word})
        if seen.document.get("stream"):
            return httpx.Response(
                200, headers={"Content-Type": "text/event-stream"}, content=stream_of(seen.text)
            )
        return httpx.Response(200, json=completion(seen.text))


def usage_for(text: str) -> dict[str, int]:
    """Token counts that no two prompts of different length share."""
    return {
        "prompt_tokens": len(text) + 7,
        "completion_tokens": 3 * len(text),
        "total_tokens": 4 * len(text) + 7,
    }


def completion(text: str) -> dict[str, Any]:
    """The good reply to a prompt: its echo, by a model of its own, with counts of its own."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "model": f"served/{text}",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage_for(text),
    }


def stream_of(text: str) -> bytes:
    """The same as a stream of events, two pieces of text and the usage in a chunk of its own."""
    half = len(text) // 2
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant"}}]},
        {"choices": [{"index": 0, "delta": {"content": text[:half]}}]},
        {"choices": [{"index": 0, "delta": {"content": text[half:]}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage_for(text)},
    ]
    lines = [json.dumps({"model": f"served/{text}", **chunk}) for chunk in chunks]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
