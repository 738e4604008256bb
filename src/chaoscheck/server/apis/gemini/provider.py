"""Gemini as a provider: ``{"error": {code, message, status}}``, the status by gRPC's names.

The names are those of google.rpc.Code, and their mapping to HTTP is its own.
"""

from __future__ import annotations

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import (
    API_ERRORS,
    CONTENT_FILTER_CODE,
    ContextLengthError,
)
from chaoscheck.plan.fault_kinds.token_rate import TokenRateError
from chaoscheck.server.providers import ANY_KEY, Provider, Variable

__all__ = ["GEMINI", "error_object"]

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES = {
    401: "Request had invalid authentication credentials.",
    403: "Permission denied: the API key lacks access to this resource.",
    404: "The requested model is not found for API version v1beta.",
    429: "You exceeded your current quota, please check your plan and billing details.",
    500: "An internal error has occurred. Please retry.",
    503: "The model is overloaded. Please try again later.",
    504: "Deadline expired before operation could complete.",
}


def error_object(status: int, error: ApiError) -> dict[str, object]:
    """The value of ``error`` in a body, and in an event of a stream."""
    usual = API_ERRORS.get(status)
    message = error.message
    if error.code == CONTENT_FILTER_CODE:
        message = "The prompt was blocked by the safety settings."
    elif isinstance(error, ContextLengthError):
        message = (
            f"The input token count ({error.tokens}) exceeds the maximum number of tokens allowed"
            f" ({error.tokens_max})."
        )
    elif isinstance(error, TokenRateError):
        message = _MESSAGES[429]
    elif usual is not None and message == usual.message:
        message = _MESSAGES.get(status, message)
    named = _STATUSES.get(status, "UNKNOWN")
    return {"code": status, "message": message, "status": named}


GEMINI = Provider(
    name="gemini",
    error_object=error_object,
    headers=(("server-timing", "gfet4t7; dur=12"),),
    prefixes=("/v1beta/",),
    client_headers=(b"x-goog-api-key", b"x-goog-api-client"),
    rank=5,
    variables=(
        Variable("GOOGLE_GEMINI_BASE_URL", "{url}"),
        Variable("GEMINI_API_KEY", ANY_KEY),
        Variable("GEMINI_API_BASE", "{url}/v1beta"),  # litellm's
        # The SDK takes this key first, and warns where it finds both.
        Variable("GOOGLE_API_KEY", ANY_KEY, only_in_place=True),
        # Vertex AI, which the SDK would ask instead, is another API at another address.
        Variable("GOOGLE_GENAI_USE_VERTEXAI", "false", only_in_place=True),
        Variable("GOOGLE_GENAI_USE_ENTERPRISE", "false", only_in_place=True),
    ),
)
