"""Faults that answer with an error: they look the same whether or not a stream was asked for.

Which exception an SDK has for a status is its documentation's table; the words are the providers'.
"""

from __future__ import annotations

from chaoscheck.plan import catalogue as faults
from chaoscheck.plan.fault import Fault
from tests.contract.sights.sight import ErrorWords, Heard, Sight

__all__ = ["ERROR_SIGHTS", "HEADER_SIGHTS"]

_INVALID = "invalid_request_error"


def _words(kind: str, code: str | int | None, anthropic_type: str) -> ErrorWords:
    return ErrorWords(type=kind, code=code, anthropic_type=anthropic_type)


def _status(
    fault: Fault, status: int, words: ErrorWords, openai: str, anthropic: str | None = None
) -> Sight:
    return Sight(
        fault=fault,
        status=status,
        words=words,
        headers=(("content-type", "application/json"),),
        openai=Heard(ended=openai, status=status, delivered=None),
        anthropic=Heard(ended=anthropic or openai, status=status, delivered=None),
    )


# fmt: off
ERROR_SIGHTS = [
    _status(faults.status_400(), 400,
            _words(_INVALID, "invalid_value", _INVALID), "BadRequestError"),
    _status(faults.status_401(), 401,
            _words(_INVALID, "invalid_api_key", "authentication_error"), "AuthenticationError"),
    _status(faults.status_402(), 402,
            _words("insufficient_quota", "insufficient_quota", "billing_error"),
            "APIStatusError", "PaymentRequiredError"),
    _status(faults.status_403(), 403,
            _words(_INVALID, "missing_scope", "permission_error"), "PermissionDeniedError"),
    _status(faults.status_404(), 404,
            _words(_INVALID, "model_not_found", "not_found_error"), "NotFoundError"),
    _status(faults.status_408(), 408,
            _words("timeout", "request_timeout", "timeout_error"),
            "APIStatusError", "RequestTimeoutError"),
    _status(faults.status_409(), 409,
            _words(_INVALID, "conflict", "conflict_error"), "ConflictError"),
    _status(faults.status_413(), 413,
            _words("server_error", None, "request_too_large"),
            "APIStatusError", "ContentTooLargeError"),
    _status(faults.status_422(), 422,
            _words(_INVALID, "unprocessable_entity", _INVALID), "UnprocessableEntityError"),
    _status(faults.status_425(), 425,
            _words(_INVALID, "too_early", _INVALID), "APIStatusError"),
    _status(faults.status_429(), 429,
            _words("requests", "rate_limit_exceeded", "rate_limit_error"), "RateLimitError"),
    _status(faults.status_500(), 500,
            _words("server_error", None, "api_error"), "InternalServerError"),
    _status(faults.status_502(), 502,
            _words("cf_bad_gateway", 502, "api_error"), "InternalServerError"),
    _status(faults.status_503(), 503,
            _words("server_error", "service_unavailable", "api_error"),
            "InternalServerError", "ServiceUnavailableError"),
    _status(faults.status_504(), 504,
            _words("cf_gateway_timeout", 504, "timeout_error"),
            "InternalServerError", "GatewayTimeoutError"),
    _status(faults.status_529(), 529,
            _words("overloaded_error", "overloaded", "overloaded_error"),
            "InternalServerError", "OverloadedError"),
    _status(faults.context_length(), 400,
            _words(_INVALID, "context_length_exceeded", _INVALID), "BadRequestError"),
    _status(faults.content_filter(), 400,
            _words(_INVALID, "content_policy_violation", _INVALID), "BadRequestError"),
]
# fmt: on


def _comes_back(fault: Fault, retry_after: str, in_ms: str | None = None) -> Sight:
    """A 429 whose headers say this and nothing else about when."""
    words = _words("requests", "rate_limit_exceeded", "rate_limit_error")
    heard = Heard(ended="RateLimitError", status=429, delivered=None)
    return Sight(
        fault=fault,
        status=429,
        words=words,
        headers=(("retry-after", retry_after), ("retry-after-ms", in_ms)),
        openai=heard,
        anthropic=heard,
    )


# Every world's calendar begins at midnight of the year 2026, which was a Thursday.
HEADER_SIGHTS = [
    _comes_back(faults.retry_after_zero(), "0"),
    _comes_back(faults.retry_after_fraction(seconds=0.25), "0.25"),
    _comes_back(faults.retry_after_http_date(seconds=5), "Thu, 01 Jan 2026 00:00:05 GMT"),
    _comes_back(faults.retry_after_past_date(seconds=60), "Wed, 31 Dec 2025 23:59:00 GMT"),
    _comes_back(faults.retry_after_negative(), "-5"),
    _comes_back(faults.retry_after_huge(), "31536000"),
    _comes_back(faults.retry_after_garbage(text="in a while"), "in a while"),
    _comes_back(faults.retry_after_contradicting_ms(), "1", "30000"),
]
