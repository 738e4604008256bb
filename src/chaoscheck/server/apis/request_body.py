"""What a chat request holds, whichever API it is written for, or what is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

from chaoscheck.plan.answer import ApiError

__all__ = [
    "DEPTH_MAX",
    "JSON_WORK_MAX",
    "BadRequest",
    "NotFound",
    "TooManyValues",
    "echo_of",
    "json_of",
    "model_of",
    "parse",
    "part_text",
    "texts_of",
]

DEPTH_MAX = 100  # of lists and objects; a schema or a conversation needs a dozen or two
# Work of reading one JSON text: 1 for each value of a list or an object, 2 more for a text or a
# name, 5 more for a list or an object. The text is read in one call, which stops every thread of
# the server, for some 40 ms then. OpenAI takes 300 000 tokens, as numbers, to embed at once.
JSON_WORK_MAX = 500_000
_CHEAP_BYTES = JSON_WORK_MAX // 5  # of a text that cannot be so much work
_MESSAGE_LENGTH_MAX = 1_000  # characters: an error may quote a request, and errors are cached
_PARAM_LENGTH_MAX = 200


class BadRequest(Exception):
    """The request cannot be answered; ``error`` says why, and ``status`` of which kind it is."""

    status = 400

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        self.error = ApiError(
            message=message[:_MESSAGE_LENGTH_MAX],
            type="invalid_request_error",
            param=None if param is None else param[:_PARAM_LENGTH_MAX],
            code=code,
        )


class TooManyValues(BadRequest):
    """A JSON text is too large to be read at once."""

    def __init__(self) -> None:
        super().__init__("The body of your request has too many values to be read at once.")


class NotFound(BadRequest):
    """What the request names does not exist."""

    status = 404


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is beyond any number we can say again")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)

# The scanner in C, which typeshed does not know; `decode` looks for space around it in Python.
_SCAN: Callable[[str, int], tuple[object, int]] = vars(_DECODER)["scan_once"]


def parse(body: bytes) -> Mapping[str, object]:
    """The JSON object of a request, nested no deeper than 100; BadRequest if it is none."""
    try:
        asked = json_of(body)
    except (ValueError, RecursionError):
        raise BadRequest("We could not parse the JSON body of your request.") from None
    if not isinstance(asked, dict):
        raise BadRequest("The body of your request must be a JSON object.")
    return asked


def _is_costly(text: bytes) -> bool:
    """Whether reading this JSON text is more work than ``JSON_WORK_MAX``."""
    if _work([text]) + text.count(b'"') <= JSON_WORK_MAX:
        return False
    # What a long text holds is no work. Without what is escaped, every second piece is outside.
    bare = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    pieces = bare.split(b'"', JSON_WORK_MAX)
    return _work(pieces[::2]) + len(pieces) - 1 > JSON_WORK_MAX


def _work(pieces: list[bytes]) -> int:
    return sum(
        [piece.count(b",") + 5 * (piece.count(b"[") + piece.count(b"{")) for piece in pieces]
    )


def json_of(body: bytes) -> object:
    """A body as JSON; ValueError or RecursionError where it is none, or nested beyond 100.

    TooManyValues, a BadRequest, where reading it is more work than ``JSON_WORK_MAX``.
    """
    if len(body) > _CHEAP_BYTES and _is_costly(body):
        raise TooManyValues
    try:
        text = body.decode("utf-8")
        # Without space around it, a document needs no more than the scanner.
        asked, end = _SCAN(text, 0) if text[:1] == "{" else (None, -1)
        if end != len(text):
            asked = _DECODER.decode(text)
    except StopIteration:
        raise ValueError("no JSON value begins here") from None
    # What is repeated in an answer is written from a deeper stack than it was read on.
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX and _is_deep(asked):
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    return asked


def _is_deep(value: object) -> bool:
    """Whether lists and objects are nested deeper than ``DEPTH_MAX``."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        held = [each for each in level if isinstance(each, dict | list)]
        if not held:
            return False
        level = []
        for each in held:
            level += each.values() if isinstance(each, dict) else each
    return True


def model_of(asked: Mapping[str, object], of_path: str | None) -> str:
    """The model that the request or its path names."""
    model = asked.get("model")
    if model is None:
        model = of_path
    if model is None:
        raise BadRequest("You must provide a model parameter.", "model")
    if not isinstance(model, str) or not model:
        raise BadRequest("'model' must be a non-empty string.", "model", "invalid_type")
    return model


def texts_of(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    """Each message as (role, text), at least one; parts that are not text are left out."""
    messages = asked.get("messages")
    if messages is None:
        code = "missing_required_parameter"
        raise BadRequest("Missing required parameter: 'messages'.", "messages", code)
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be a non-empty array.", "messages", "invalid_type")
    return [_text(index, message) for index, message in enumerate(messages)]


def _text(index: int, message: object) -> tuple[str, str]:
    if isinstance(message, dict):  # Most messages are one string, and need not be named.
        role, content = message.get("role"), message.get("content")
        if isinstance(role, str) and isinstance(content, str):
            return role, content
    where = f"messages[{index}]"
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(role, str):
        raise BadRequest(f"'{where}' must be an object with a role.", where, "invalid_type")
    content = message.get("content")
    if isinstance(content, list):
        return role, "".join([part_text(where, part) for part in content])
    if content is None and role == "assistant":
        return role, ""  # An assistant message may consist of tool calls alone.
    raise BadRequest(
        f"'{where}.content' must be a string or an array of parts.",
        f"{where}.content",
        "invalid_type",
    )


def part_text(where: str, part: object) -> str:
    """The text of one part of a content array; none where the part is of another kind."""
    if not isinstance(part, dict):
        raise BadRequest(
            f"'{where}.content' must hold objects.", f"{where}.content", "invalid_type"
        )
    text = part.get("text", "")
    return text if isinstance(text, str) else ""


def echo_of(texts: list[tuple[str, str]]) -> str:
    """What an echoing assistant says: the last user message, else the last message."""
    for role, text in reversed(texts):
        if role == "user":
            return text
    return texts[-1][1]
