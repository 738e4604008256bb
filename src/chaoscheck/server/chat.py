"""Chat completions in echo mode: the assistant says what the last user message said.

Tokens are whitespace-separated words: of all messages for the prompt, of the reply for the
completion. Everything is a function of the request, its number and the server's clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_chat"]


class _BadRequest(Exception):
    """The request cannot be answered; ``error`` says why."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        self.error = ApiError(message=message, type="invalid_request_error", param=param, code=code)


def answer_chat(
    body: bytes, *, number: int, created_s: int, model: str | None
) -> tuple[Answer, str | None]:
    """The good answer to a chat request and the text it echoes; 400 and None for a bad request.

    ``number`` makes the reply's id, ``created_s`` is its time stamp, ``model`` is the one the
    path names (then the body need not).
    """
    try:
        asked = _parse(body)
        model = _model(asked, model)
        texts = _texts(asked)
    except _BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    echoed = next((text for role, text in reversed(texts) if role == "user"), texts[-1][1])
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


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _parse(body: bytes) -> Mapping[str, object]:
    try:
        asked = _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _BadRequest("We could not parse the JSON body of your request.") from None
    if not isinstance(asked, dict):
        raise _BadRequest("The body of your request must be a JSON object.")
    if asked.get("stream"):
        raise _BadRequest(
            "Streaming is not offered yet: leave 'stream' out or set it to false.",
            "stream",
            "unsupported_value",
        )
    return asked


def _model(asked: Mapping[str, object], of_path: str | None) -> str:
    model = asked.get("model", of_path)
    if model is None:
        raise _BadRequest("You must provide a model parameter.", "model")
    if not isinstance(model, str) or not model:
        raise _BadRequest("'model' must be a non-empty string.", "model", "invalid_type")
    return model


def _texts(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    messages = asked.get("messages")
    if messages is None:
        code = "missing_required_parameter"
        raise _BadRequest("Missing required parameter: 'messages'.", "messages", code)
    if not isinstance(messages, list) or not messages:
        raise _BadRequest("'messages' must be a non-empty array.", "messages", "invalid_type")
    return [_text(index, message) for index, message in enumerate(messages)]


def _text(index: int, message: object) -> tuple[str, str]:
    where = f"messages[{index}]"
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(role, str):
        raise _BadRequest(f"'{where}' must be an object with a role.", where, "invalid_type")
    content = message.get("content")
    if isinstance(content, str):
        return role, content
    if isinstance(content, list):
        return role, "".join(_part(where, part) for part in content)
    if content is None and role == "assistant":
        return role, ""  # An assistant message may consist of tool calls alone.
    raise _BadRequest(
        f"'{where}.content' must be a string or an array of parts.",
        f"{where}.content",
        "invalid_type",
    )


def _part(where: str, part: object) -> str:
    if not isinstance(part, dict):
        raise _BadRequest(
            f"'{where}.content' must hold objects.", f"{where}.content", "invalid_type"
        )
    text = part.get("text", "")
    return text if isinstance(text, str) else ""
