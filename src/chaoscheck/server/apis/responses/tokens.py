"""How many input tokens a response would have."""

from __future__ import annotations

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.apis.responses.kept import kept_of
from chaoscheck.server.apis.responses.request import counted
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_input_tokens"]

_SHAPE = Shape(content=("object",), number=("input_tokens",))


def answer_input_tokens(call: Call) -> Answered:
    """The number that the response's usage would say; 400 if the request is bad."""
    try:
        tokens = counted(call.body, lambda name: kept_of(call, name))
    except BadRequest as bad:
        return Answer(status=bad.status, error=bad.error), None
    body = b'{"object":"response.input_tokens","input_tokens":%d}' % tokens
    return Answer(status=200, headers=(JSON_TYPE,), body=body, shape=_SHAPE), None
