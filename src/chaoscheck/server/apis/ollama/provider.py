"""Ollama as a provider: ``{"error": message}``, in a body as in a line of a stream."""

from __future__ import annotations

from chaoscheck.plan.answer import ApiError
from chaoscheck.plan.fault_kinds.api_errors import API_ERRORS, ContextLengthError
from chaoscheck.plan.fault_kinds.token_rate import TokenRateError
from chaoscheck.server.providers import ANY_KEY, Provider, Variable

__all__ = ["OLLAMA", "message_of"]

_MESSAGES = {
    401: "unauthorized",
    403: "forbidden",
    404: "model not found, try pulling it first",
    429: "too many requests",
    500: "llama runner process has terminated",
    503: "server busy, please try again.  maximum pending requests exceeded",
}


def message_of(status: int, error: ApiError) -> str:
    """The error's message in Ollama's words, where it has any."""
    if isinstance(error, ContextLengthError):
        return "the input length exceeds the context length"
    if isinstance(error, TokenRateError):
        return _MESSAGES[429]
    usual = API_ERRORS.get(status)
    if usual is None or error.message != usual.message:
        return error.message
    return _MESSAGES.get(status, error.message)


OLLAMA = Provider(
    name="ollama",
    error_object=message_of,
    prefixes=("/api/chat", "/api/tags"),
    takes_urlencoded=True,  # its own documentation asks by `curl -d` without a media type
    rank=6,
    variables=(
        Variable("OLLAMA_HOST", "{url}"),
        Variable("OLLAMA_API_BASE", "{url}"),  # litellm's
        Variable("OLLAMA_API_KEY", ANY_KEY, only_in_place=True),
    ),
)
