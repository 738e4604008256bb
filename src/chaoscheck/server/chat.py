"""Chat completions in echo mode: the assistant says what the last user message said.

Tokens are whitespace-separated words: of all messages for the prompt, of the reply for the
completion. Everything is a function of the request, its number and the server's clock.
"""

from __future__ import annotations

import json

from chaoscheck.plan.answer import Answer
from chaoscheck.server.chat_request import BadRequest, echo_of, model_of, parse, texts_of
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_chat"]


def answer_chat(
    body: bytes, *, number: int, created_s: int, model: str | None
) -> tuple[Answer, str | None]:
    """The good answer to a chat request and the text it echoes; 400 and None for a bad request.

    ``number`` makes the reply's id, ``created_s`` is its time stamp, ``model`` is the one the
    path names (then the body need not).
    """
    try:
        asked = parse(body)
        model = model_of(asked, model)
        texts = texts_of(asked)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    echoed = echo_of(texts)
    prompt = sum(len(text.split()) for _, text in texts)
    completion = len(echoed.split())
    said = (
        f'{{"id":"chatcmpl-{number:06d}","object":"chat.completion","created":{created_s},'
        f'"model":{json.dumps(model)},"choices":[{{"index":0,"message":{{"role":"assistant",'
        f'"content":{json.dumps(echoed)},"refusal":null}},"logprobs":null,'
        f'"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{prompt},'
        f'"completion_tokens":{completion},"total_tokens":{prompt + completion}}}}}'
    )
    return Answer(status=200, headers=(JSON_TYPE,), body=said.encode("ascii")), echoed
