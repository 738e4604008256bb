"""APIs asked directly, without a server: a call, its answer, and what a stream says."""

from __future__ import annotations

import json
from typing import Any

from chaoscheck.plan.answer import Answer, Path
from chaoscheck.server.apis.call import Answered, Api, Call
from chaoscheck.server.apis.speaker import Echo, Speaker
from chaoscheck.server.apis.token_counter import TokenCounter

__all__ = ["ask", "at", "chat", "document", "says"]


def chat(text: str = "hello there", **parameters: object) -> dict[str, object]:
    """A chat request with one user message."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **parameters}


def ask(
    api: Api,
    body: object,
    *,
    model: str | None = None,
    speaker: Speaker | None = None,
    tokens: TokenCounter | None = None,
) -> Answered:
    """What an API answers to this JSON document, as the server's 7th request."""
    return api(
        Call(
            body=json.dumps(body).encode(),
            headers={},
            number=7,
            created_s=1_700_000_000,
            key="k",
            attempt=1,
            speaker=speaker or Echo(),
            model=model,
            tokens=tokens,
        )
    )


def document(answer: Answer) -> Any:
    """The JSON document of a whole answer."""
    return json.loads(answer.body)


def says(answer: Answer, *kinds: str) -> list[Any]:
    """The JSON documents of a stream's events of these kinds, or of all that have one."""
    return [
        json.loads(event.payload.partition(b"data: ")[2])
        for event in answer.events
        if (event.kind in kinds or not kinds) and b"data: {" in event.payload
    ]


def at(said: Any, path: Path | None) -> Any:
    """What stands at this path of a document."""
    for step in path or ():
        said = said[step]
    return said
