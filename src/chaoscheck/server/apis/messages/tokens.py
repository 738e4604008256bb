"""Anthropic's token counting: how many input tokens a message would have."""

from __future__ import annotations

from chaoscheck.plan.answer import Answer, Shape
from chaoscheck.server.apis.call import Answered, Call
from chaoscheck.server.apis.messages.request import input_tokens_of
from chaoscheck.server.apis.request_body import BadRequest
from chaoscheck.server.providers import JSON_TYPE

__all__ = ["answer_count_tokens"]


SHAPE = Shape(content=("input_tokens",), number=("input_tokens",))


def answer_count_tokens(call: Call) -> Answered:
    """``{"input_tokens": n}``, the number that the message's usage would say; 400 if it is bad."""
    try:
        tokens = input_tokens_of(call.body)
    except BadRequest as bad:
        return Answer(status=400, error=bad.error), None
    body = b'{"input_tokens":%d}' % tokens
    return Answer(status=200, headers=(JSON_TYPE,), body=body, shape=SHAPE), None
