"""The error of each status that a fault answers with, and the two errors that have no status.

Words are OpenAI's where it has the error, since most clients know these; what is another's own is
put right when a provider writes its body (``server/providers.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chaoscheck.plan.answer import ApiError

__all__ = [
    "API_ERRORS",
    "CONTENT_FILTERED",
    "CONTENT_FILTER_CODE",
    "RETRYABLE_STATUSES",
    "ContextLengthError",
    "OddlyTimedError",
    "context_length_error",
]

RETRYABLE_STATUSES = (408, 409, 425, 429, 500, 502, 503, 504, 529)

_INVALID = "invalid_request_error"

API_ERRORS: Mapping[int, ApiError] = MappingProxyType(
    {
        400: ApiError(
            message="Invalid value for a parameter of this request.",
            type=_INVALID,
            code="invalid_value",
        ),
        401: ApiError(
            message="Incorrect API key provided: sk-****. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            type=_INVALID,
            code="invalid_api_key",
        ),
        402: ApiError(
            message="You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
        403: ApiError(
            message="You have insufficient permissions for this operation. "
            "Missing scopes: model.request.",
            type=_INVALID,
            code="missing_scope",
        ),
        404: ApiError(
            message="The requested model does not exist or you do not have access to it.",
            type=_INVALID,
            code="model_not_found",
        ),
        408: ApiError(message="Request timed out.", type="timeout", code="request_timeout"),
        409: ApiError(
            message="The resource was updated by another request. Please retry.",
            type=_INVALID,
            code="conflict",
        ),
        413: ApiError(
            message="Maximum content size limit (26214400) exceeded.", type="server_error"
        ),
        422: ApiError(
            message="Unable to process the request despite the format being correct.",
            type=_INVALID,
            code="unprocessable_entity",
        ),
        425: ApiError(
            message="The request came too early to be processed. Please retry.",
            type=_INVALID,
            code="too_early",
        ),
        429: ApiError(
            message="Rate limit reached. Please retry later.",
            type="requests",
            code="rate_limit_exceeded",
        ),
        500: ApiError(
            message="The server had an error while processing your request.", type="server_error"
        ),
        502: ApiError(message="Bad gateway.", type="cf_bad_gateway", code="502"),
        503: ApiError(
            message="The engine is currently overloaded, please try again later.",
            type="server_error",
            code="service_unavailable",
        ),
        504: ApiError(message="Gateway timeout.", type="cf_gateway_timeout", code="504"),
        529: ApiError(message="Overloaded", type="overloaded_error", code="overloaded"),
    }
)

CONTENT_FILTER_CODE = "content_filter"
#: A prompt or a text that a provider's moderation refused; each provider has its own words for it.
CONTENT_FILTERED = ApiError(
    message="The response was filtered due to the prompt triggering the content management policy.",
    type=_INVALID,
    code=CONTENT_FILTER_CODE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextLengthError(ApiError):
    """A prompt of ``tokens`` tokens, where ``tokens_max`` is the most that the model takes.

    ``completion`` tokens were asked for beside it, where they have to fit as well.
    """

    tokens_max: int
    tokens: int
    completion: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OddlyTimedError(ApiError):
    """An error whose answer says in odd headers when to come back.

    They are meant as they stand: no provider adds its own to them.
    """


@functools.lru_cache(maxsize=64)
def context_length_error(tokens_max: int) -> ContextLengthError:
    """The error of a prompt that is one token longer than ``tokens_max``, in OpenAI's words."""
    tokens = tokens_max + 1
    return ContextLengthError(
        message=f"This model's maximum context length is {tokens_max} tokens. However, your "
        f"messages resulted in {tokens} tokens. Please reduce the length of the messages.",
        type=_INVALID,
        code="context_length_exceeded",
        param="messages",
        tokens_max=tokens_max,
        tokens=tokens,
    )
