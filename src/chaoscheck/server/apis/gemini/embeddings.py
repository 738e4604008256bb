"""Gemini's embeddings: one content, or a batch of requests; and how many tokens contents have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.gemini.fields import (
    integer,
    invalid,
    objects,
    one_of,
    parsed,
    struct,
    text,
)
from chaoscheck.server.apis.gemini.request import content_text, counted
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.unit_vectors import unit_vector
from chaoscheck.server.apis.vector_documents import body_or_parts
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_count_tokens", "answer_embed", "answer_embed_batch"]

_DIMENSIONS = {"gemini-embedding-001": 3072, "text-embedding-004": 768}
_DIMENSIONS_DEFAULT = 256  # of other models: few, since tests do not depend on them
_DIMENSIONS_MAX = 3072
_REQUESTS_MAX = 100  # of one batch, as Google has it
_NUMBER_BYTES_MAX = 26  # of a written component, such as -1.2345678901234567e-05 with its comma
_FRAME_BYTES_MAX = 20  # around a vector
_TASKS = (
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
)

_ONE_SHAPE = Shape(
    items=("embedding",),
    content=("embedding", "values"),
    number=("embedding", "values", 0),
    usage=None,
)
_BATCH_SHAPE = Shape(
    items=("embeddings",),
    content=("embeddings", 0, "values"),
    number=("embeddings", 0, "values", 0),
    usage=None,
)
_COUNT_SHAPE = Shape(content=("totalTokens",), number=("totalTokens",))


def answer_embed(call: Call) -> Answered:
    """The vector of a content; 400 for a bad request."""
    try:
        text, dimensions = _wanted(call, parsed(call.body))
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    vector = unit_vector(text, dimensions).tolist()
    return _document(call, {"embedding": {"values": vector}}, _ONE_SHAPE), None


def answer_embed_batch(call: Call) -> Answered:
    """The vectors of several requests, in their order; 400 for a bad one."""
    try:
        requests = objects(parsed(call.body), "requests")
        if not 1 <= len(requests) <= _REQUESTS_MAX:
            raise invalid("requests", f"there must be 1 to {_REQUESTS_MAX} requests")
        wanted = [_wanted(call, request) for request in requests]
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    numbers = sum([dimensions for _, dimensions in wanted])
    size = numbers * _NUMBER_BYTES_MAX + (1 + len(wanted)) * _FRAME_BYTES_MAX
    body, parts = body_or_parts(partial(_vectors, wanted), numbers, size)
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=body,
        parts=parts,
        shape=_BATCH_SHAPE,
        delay_s=call.pace().whole_s(1),
    ), None


def answer_count_tokens(call: Call) -> Answered:
    """How many tokens the contents have; 400 for a bad request."""
    try:
        tokens = counted(call.body)
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    return _document(call, {"totalTokens": tokens}, _COUNT_SHAPE), None


def _vectors(wanted: Sequence[tuple[str, int]]) -> Iterator[bytes]:
    """The document of a batch, one vector after the other."""
    before = b'{"embeddings": ['
    for said, dimensions in wanted:
        vector = json.dumps({"values": unit_vector(said, dimensions).tolist()})
        yield before + vector.encode("ascii")
        before = b", "
    yield b"]}"


def _wanted(call: Call, asked: Mapping[str, object]) -> tuple[str, int]:
    """The text that a request wants a vector of, and of how many dimensions."""
    content = struct(asked, "content")
    if content is None:
        raise BadRequest("* EmbedContentRequest.content: content is not specified", "content")
    one_of(asked, "taskType", _TASKS)
    text(asked, "title")
    said = content_text(content)
    if not said:
        raise BadRequest("* EmbedContentRequest.content: content must not be empty", "content")
    model = (call.model or "").removeprefix("models/")
    native = _DIMENSIONS.get(model)
    wanted = integer(asked, "outputDimensionality", 1, native or _DIMENSIONS_MAX)
    return said, wanted or native or _DIMENSIONS_DEFAULT


def _document(call: Call, said: Mapping[str, object], shape: Shape) -> Answer:
    return Answer(
        status=200,
        headers=(JSON_TYPE,),
        body=json.dumps(said).encode("ascii"),
        shape=shape,
        delay_s=call.pace().whole_s(1),
    )
