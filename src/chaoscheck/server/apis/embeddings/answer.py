"""Embeddings as OpenAI and Azure offer them: unit vectors, each a pure function of its text.

Equal texts have equal vectors and different ones unrelated vectors; there is no meaning in them.
Components are 32-bit floats, so that ``float`` and ``base64`` say the same numbers.
"""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.context_room import room_for_prompt
from chaoscheck.server.apis.parameters import choice_of, integer, missing
from chaoscheck.server.apis.parameters import text as text_parameter
from chaoscheck.server.apis.pieces import words_in
from chaoscheck.server.apis.request_body import BadRequest, model_of, parse
from chaoscheck.server.apis.sse import json_string
from chaoscheck.server.apis.unit_vectors import unit_vector
from chaoscheck.server.apis.vector_documents import body_or_parts
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_embeddings"]

_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
_DIMENSIONS_DEFAULT = 256  # of models that nobody knows: small, as tests mean no vector by it
_DIMENSIONS_MAX = 3072
_FIXED_DIMENSIONS = frozenset({"text-embedding-ada-002"})
_INPUTS_MAX = 2048
_TOKENS_MAX = 8192  # of one input, where it comes as tokens

_NUMBER_BYTES_MAX = 25  # of a written component, such as -1.2345678901234567e-05 with its comma
_FRAME_BYTES_MAX = 100  # around a vector

_SHAPE = Shape(
    items=("data",),
    content=("data", 0, "embedding"),
    number=("usage", "prompt_tokens"),
    usage=("usage",),
)


def answer_embeddings(call: Call) -> Answered:
    """The vectors of the inputs, in order; 400 for a bad request."""
    try:
        asked = parse(call.body)
        model = model_of(asked, call.model)
        inputs = _inputs(asked)
        dimensions = _dimensions(asked, model)
        written = choice_of(asked, "encoding_format", tuple(_ENCODINGS)) or "float"
        text_parameter(asked, "user")
        for _, count in inputs:
            room_for_prompt(call, model, count, 0)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    tokens = sum([count for _, count in inputs])
    call.note_tokens(model, tokens, 0)
    texts = [text for text, _ in inputs]
    end = (
        f'],"model":{json_string(model)},'
        f'"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}'
    ).encode("ascii")
    make = partial(_vectors, texts, dimensions, _ENCODINGS[written], end)
    numbers = len(texts) * dimensions
    size = numbers * _NUMBER_BYTES_MAX + len(texts) * _FRAME_BYTES_MAX + len(end)
    body, parts = body_or_parts(make, numbers, size)
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=body,
        parts=parts,
        shape=_SHAPE,
        delay_s=call.pace().whole_s(1),
    ), None


def _vectors(
    texts: list[str], dimensions: int, written: Callable[[array[float]], str], end: bytes
) -> Iterator[bytes]:
    """The document, one vector after the other."""
    before = b'{"object":"list","data":['
    for index, text in enumerate(texts):
        vector = written(unit_vector(text, dimensions))
        said = f'{{"object":"embedding","index":{index},"embedding":{vector}}}'
        yield before + said.encode("ascii")
        before = b","
    yield end


def _as_floats(vector: array[float]) -> str:
    return json.dumps(vector.tolist(), separators=(",", ":"))


def _as_base64(vector: array[float]) -> str:
    if sys.byteorder != "little":
        vector.byteswap()
    return f'"{base64.b64encode(vector.tobytes()).decode("ascii")}"'


_ENCODINGS = {"float": _as_floats, "base64": _as_base64}


def _inputs(asked: Mapping[str, object]) -> list[tuple[str, int]]:
    """Each input as (what stands for it, how many tokens it has)."""
    given = asked.get("input")
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [_of_text(given)]
    if not isinstance(given, list) or not 1 <= len(given) <= _INPUTS_MAX:
        raise _invalid_input()
    if all(isinstance(item, str) for item in given):
        return [_of_text(item) for item in given]
    return [_of_tokens(item) for item in (given if isinstance(given[0], list) else [given])]


def _of_text(text: str) -> tuple[str, int]:
    if not text:
        raise _invalid_input()
    return text, words_in(text)


def _of_tokens(tokens: object) -> tuple[str, int]:
    if not isinstance(tokens, list) or not 1 <= len(tokens) <= _TOKENS_MAX:
        raise _invalid_input()
    for token in tokens:
        if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < 2**32:
            raise _invalid_input()
    return f"tokens {tokens}", len(tokens)


def _invalid_input() -> BadRequest:
    message = "'$.input' is invalid. Please check the API reference: it must be a non-empty string,"
    return BadRequest(
        f"{message} an array of 1 to {_INPUTS_MAX} of them, or arrays of token ids.", "input"
    )


def _dimensions(asked: Mapping[str, object], model: str) -> int:
    native = _DIMENSIONS.get(model.rpartition("/")[2])
    wanted = integer(asked, "dimensions", 1)
    if wanted is None:
        return native or _DIMENSIONS_DEFAULT
    if model.rpartition("/")[2] in _FIXED_DIMENSIONS:
        raise BadRequest("This model does not support specifying dimensions.", "dimensions")
    most = native or _DIMENSIONS_MAX
    if wanted > most:
        message = f"Invalid value for 'dimensions' = {wanted if wanted < 10**9 else 'huge'}."
        raise BadRequest(f"{message} Must be less than or equal to {most}.", "dimensions")
    return wanted
