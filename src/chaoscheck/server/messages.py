"""Anthropic's Messages API in echo mode: the assistant says what the last user message said.

Tokens are whitespace-separated words: of the system prompt and all messages for the input, of the
reply for the output; the reply ends after ``max_tokens`` of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice

from chaoscheck.plan.answer import Answer
from chaoscheck.server.chat_request import (
    BadRequest,
    echo_of,
    model_of,
    parse,
    part_text,
    texts_of,
)
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_message"]

_ROLES = ("user", "assistant")
_WORD = re.compile(r"\S+")


def answer_message(
    body: bytes, *, number: int, created_s: int, model: str | None
) -> tuple[Answer, str | None]:
    """The good answer to a message and the text it echoes; 400 and None for a bad request.

    ``number`` makes the reply's id. A message bears no time stamp, and no path names a model:
    ``created_s`` and ``model`` are there because every API of the server is called alike.
    """
    try:
        asked = parse(body)
        model = model_of(asked, model)
        max_tokens = _max_tokens(asked)
        texts = texts_of(asked)
        _require_known_roles(texts)
        prompt = len(_system(asked).split()) + sum(len(text.split()) for _, text in texts)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    echoed = echo_of(texts)
    completion = len(echoed.split())
    reason = "end_turn"
    if completion > max_tokens:
        echoed, completion, reason = _first_words(echoed, max_tokens), max_tokens, "max_tokens"
    said = (
        f'{{"id":"msg_{number:06d}","type":"message","role":"assistant",'
        f'"model":{json.dumps(model)},"content":[{{"type":"text","text":{json.dumps(echoed)}}}],'
        f'"stop_reason":"{reason}","stop_sequence":null,'
        f'"usage":{{"input_tokens":{prompt},"output_tokens":{completion}}}}}'
    )
    return Answer(status=200, headers=(JSON_TYPE,), body=said.encode("ascii")), echoed


def _max_tokens(asked: Mapping[str, object]) -> int:
    wanted = asked.get("max_tokens")
    if wanted is None:
        raise BadRequest("max_tokens: Field required", "max_tokens")
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise BadRequest("max_tokens: must be an integer >= 1", "max_tokens")
    return wanted


def _require_known_roles(texts: list[tuple[str, str]]) -> None:
    for index, (role, _) in enumerate(texts):
        if role not in _ROLES:
            raise BadRequest(
                f"messages.{index}.role: must be 'user' or 'assistant'; a system prompt goes into"
                " the top-level 'system' parameter",
                "messages",
            )


def _system(asked: Mapping[str, object]) -> str:
    system = asked.get("system")
    if system is None or isinstance(system, str):
        return system or ""
    if isinstance(system, list):
        return " ".join(part_text("system", part) for part in system)
    raise BadRequest("system: must be a string or an array of text blocks", "system")


def _first_words(text: str, count: int) -> str:
    return text[: list(islice(_WORD.finditer(text), count))[-1].end()]
