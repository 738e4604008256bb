"""Providers: how each writes an error, and the headers that it puts on every answer.

Shapes: OpenAI ``{"error": {message, type, param, code}}`` (API reference, error codes), Azure
``{"error": {code, message}}``, OpenRouter ``{"error": {code: <status>, message, metadata?}}`` and
Anthropic ``{"type": "error", "error": {type, message}, "request_id"}`` (their API references).
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from chaoscheck.plan.answer import Answer, ApiError
from chaoscheck.plan.fault_kinds.api_errors import (
    API_ERRORS,
    CONTENT_FILTER_CODE,
    ContextLengthError,
    OddlyTimedError,
)
from chaoscheck.plan.fault_kinds.token_rate import TokenRateError

__all__ = [
    "ANTHROPIC",
    "ANY_KEY",
    "AZURE",
    "JSON_TYPE",
    "OPENAI",
    "OPENROUTER",
    "Headers",
    "Provider",
    "Variable",
]

Headers = tuple[tuple[str, str], ...]
ErrorObject = dict[str, object]

JSON_TYPE = ("content-type", "application/json")

# OpenAI and Azure repeat the wait in milliseconds on these.
_WAIT_IN_MS_ON = frozenset({429, 503})
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?", re.ASCII)  # as our faults write them


ANY_KEY = "chaoscheck"  # no key of a client is ever refused


class Variable(NamedTuple):
    """An environment variable that clients of a provider read; ``{url}`` in it is the server's.

    One ``only_in_place`` is set only where the environment has it already, to lead elsewhere:
    some client would take it before the others, or would refuse to see it beside them.
    """

    name: str
    value: str
    only_in_place: bool = False


# Two providers are equal only if they are the same one: bodies are cached by provider, and so an
# identity, which hashes fast, is enough.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provider:
    """A provider by ``name``.

    ``error_object`` gives the value of its body's ``error`` key. ``headers`` are on every answer,
    as is ``gateway_id_header``, if there is one, with the request's id. ``request_id_header``
    bears that id too, and is left to who renders the answer; ``error_names_request`` says that
    error bodies bear it as well. ``content_filter_status`` is the status of a refused text.
    ``request_id_name`` is that header's name as bytes.
    ``waits_in_ms_on`` are the statuses whose ``retry-after`` is repeated as ``retry-after-ms``.
    ``prefixes`` are those of paths that are this provider's, known or not; the longest one counts.
    ``client_headers`` are those by which its own clients are known, where it shares a path.
    ``takes_urlencoded`` says that it reads JSON also where the media type is that of a form, as
    ``curl -d`` sends it.
    ``rank`` is its place in lists of providers; equal ranks go by name. ``variables`` are those of
    the environment by which its clients find it.
    """

    name: str
    error_object: Callable[[int, ApiError], ErrorObject | str]
    headers: Headers = ()
    request_id_header: str = "x-request-id"
    gateway_id_header: str | None = None
    error_names_request: bool = False
    content_filter_status: int = 400
    waits_in_ms_on: frozenset[int] = frozenset()
    prefixes: tuple[str, ...] = ()
    client_headers: tuple[bytes, ...] = ()
    takes_urlencoded: bool = False
    rank: int = 100
    variables: tuple[Variable, ...] = ()
    request_id_name: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "request_id_name", self.request_id_header.encode("ascii"))

    def request_id_line(self, request_id: str) -> bytes:
        """The header line that bears the request's id."""
        return b"%b: %b\r\n" % (self.request_id_name, request_id.encode("ascii"))

    def common_headers(self, request_id: str) -> Headers:
        """What every answer bears, but the request id."""
        if self.gateway_id_header is None:
            return self.headers
        return (*self.headers, (self.gateway_id_header, request_id))

    def worded(self, answer: Answer, request_id: str) -> Answer:
        """``answer`` with this provider's headers, and its error, if any, as a JSON body."""
        common = self.common_headers(request_id)
        if answer.error is None:
            return answer._replace(headers=answer.headers + common)
        status, headers, body = _error_of(self, answer.status, answer.error, answer.headers, common)
        if self.error_names_request:
            body = b'%s, "request_id": "%s"}' % (body[:-1], request_id.encode("ascii"))
        return Answer(status, headers, body, delay_s=answer.delay_s, at_s=answer.at_s)


@functools.lru_cache(maxsize=512)
def _error_of(
    provider: Provider, status: int, error: ApiError, own: Headers, common: Headers
) -> tuple[int, Headers, bytes]:
    """The status, headers and body of an error, but for the request's id."""
    if error.code == CONTENT_FILTER_CODE:
        status = provider.content_filter_status
    headers = (JSON_TYPE, *own, *common)
    if status in provider.waits_in_ms_on and not isinstance(error, OddlyTimedError):
        headers += _wait_in_ms(own)
    kind = {"type": "error"} if provider.error_names_request else {}
    body = json.dumps({**kind, "error": provider.error_object(status, error)}).encode()
    return status, headers, body


def _wait_in_ms(headers: Headers) -> Headers:
    """``retry-after-ms`` of a ``retry-after`` in seconds, where that stands alone."""
    said = dict(headers)
    seconds = said.get("retry-after", "")
    if "retry-after-ms" in said or not _SECONDS.fullmatch(seconds):
        return ()
    return (("retry-after-ms", str(round(float(seconds) * 1000))),)


def _message(own: Mapping[int, str], status: int, error: ApiError) -> str:
    """A provider's own message for the usual error of a status; other errors say what they say."""
    usual = API_ERRORS.get(status)
    if usual is None or error.message != usual.message:
        return error.message
    return own.get(status, error.message)


def _openai(status: int, error: ApiError) -> ErrorObject:
    message, code = error.message, error.code
    if code == CONTENT_FILTER_CODE:
        message = (
            "Your request was rejected as a result of our safety system. "
            "Your prompt may contain text that is not allowed by our safety system."
        )
        code = "content_policy_violation"
    return {
        "message": message,
        "type": error.type,
        "param": error.param,
        # What the network in front of OpenAI says bears the status as a number.
        "code": status if error.type.startswith("cf_") else code,
    }


_AZURE_MESSAGES = {
    401: "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
    "provide a valid key for an active subscription and use a correct regional API endpoint for "
    "your resource.",
    403: "Access denied due to Virtual Network/Firewall rules.",
    404: "The API deployment for this resource does not exist. If you created the deployment "
    "within the last 5 minutes, please wait a moment and try again.",
    408: "The operation was timeout.",
}
_AZURE_CODES = {404: "DeploymentNotFound", 408: "Timeout"}
_AZURE_FILTERED = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content "
    "management policy. Please modify your prompt and retry. To learn more about our content "
    "filtering policies please read our documentation: "
    "https://go.microsoft.com/fwlink/?linkid=2198766",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {
            "hate": {"filtered": False, "severity": "safe"},
            "jailbreak": {"filtered": False, "detected": False},
            "self_harm": {"filtered": False, "severity": "safe"},
            "sexual": {"filtered": False, "severity": "safe"},
            "violence": {"filtered": True, "severity": "medium"},
        },
    },
}


def _azure(status: int, error: ApiError) -> ErrorObject:
    if error.code == CONTENT_FILTER_CODE:
        return dict(_AZURE_FILTERED)
    if isinstance(error, TokenRateError):
        wait_s = 60 if error.wait_s is None else math.ceil(error.wait_s)
        message = (
            "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded"
            f" token rate limit of your current OpenAI S0 pricing tier. Please retry after {wait_s}"
            " seconds."
        )
        return {"code": str(status), "message": message}
    if isinstance(error, ContextLengthError):  # The model's own errors pass through Azure as is.
        return _openai(status, error)
    message = _message(_AZURE_MESSAGES, status, error)
    # Azure names what is wrong with a request, and repeats the status for nearly all else.
    named = error.code if status == 400 else None
    if message != error.message:
        named = _AZURE_CODES.get(status)
    return {"code": named or str(status), "message": message}


_OPENROUTER_MESSAGES = {
    401: "No auth credentials found",
    402: "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    403: "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys",
    404: "No endpoints found for the requested model.",
    502: "Provider returned error",
}
_OPENROUTER_PROVIDER = "OpenAI"  # behind OpenRouter, by its name there
# A moderated answer repeats what was flagged; as the error is no request's own, a stand-in does.
_OPENROUTER_FILTERED = {
    "code": 403,
    "message": "openai/gpt-4o requires moderation on OpenAI. Your input was flagged for "
    '"violence". No credits were charged.',
    "metadata": {
        "reasons": ["violence"],
        "flagged_input": "...",
        "provider_name": _OPENROUTER_PROVIDER,
        "model_slug": "openai/gpt-4o",
    },
}


def _openrouter(status: int, error: ApiError) -> ErrorObject:
    if error.code == CONTENT_FILTER_CODE:
        return dict(_OPENROUTER_FILTERED)
    if isinstance(error, ContextLengthError):
        output = f", {error.completion} in the output" if error.completion else ""
        message = (
            f"This endpoint's maximum context length is {error.tokens_max} tokens. However, you "
            f"requested about {error.tokens + error.completion} tokens ({error.tokens} of text "
            f"input{output}). Please reduce "
            'the length of either one, or use the "middle-out" transform to compress your prompt '
            "automatically."
        )
        return {"code": status, "message": message, "metadata": {"provider_name": None}}
    if isinstance(error, TokenRateError):  # It is the provider's behind it that refuses.
        behind = {"raw": error.message, "provider_name": _OPENROUTER_PROVIDER}
        return {"code": status, "message": "Provider returned error", "metadata": behind}
    message = _message(_OPENROUTER_MESSAGES, status, error)
    said: ErrorObject = {"code": status, "message": message}
    if status == 502 and message != error.message:
        said["metadata"] = {"raw": error.message, "provider_name": _OPENROUTER_PROVIDER}
    return said


# Anthropic's API reference, "Errors", and the error types of its SDK; what they do not list is an
# api_error if it is the server's.
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ANTHROPIC_MESSAGES = {
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
    "to upgrade or purchase credits.",
    403: "Your API key does not have permission to use the specified resource.",
    404: "The requested resource could not be found.",
    413: "Request exceeds the maximum size",
    504: "The request timed out while processing.",
}


def _anthropic(status: int, error: ApiError) -> ErrorObject:
    if error.code == CONTENT_FILTER_CODE:
        message = "Output blocked by content filtering policy"
    elif isinstance(error, ContextLengthError) and error.tokens <= error.tokens_max:
        message = (
            f"input length and `max_tokens` exceed context limit: {error.tokens} + "
            f"{error.completion} > {error.tokens_max}, decrease input length or `max_tokens` and "
            "try again"
        )
    elif isinstance(error, ContextLengthError):
        message = f"prompt is too long: {error.tokens} tokens > {error.tokens_max} maximum"
    elif isinstance(error, TokenRateError):
        what = f"{error.limit:,} {error.counts} per {error.span}"
        message = (
            "This request would exceed your organization's rate limit of "
            f"{what.replace(' per min', ' per minute')}. Please reduce the prompt length or the "
            "maximum tokens requested, or try again later."
        )
    else:
        message = _message(_ANTHROPIC_MESSAGES, status, error)
    other = "api_error" if status >= 500 else "invalid_request_error"
    return {"type": _ANTHROPIC_TYPES.get(status, other), "message": message}


_AZURE_VERSION = "2024-10-21"

OPENAI = Provider(
    name="openai",
    error_object=_openai,
    headers=(("openai-version", "2020-10-01"), ("openai-processing-ms", "12")),
    waits_in_ms_on=_WAIT_IN_MS_ON,
    rank=1,
    variables=(
        Variable("OPENAI_BASE_URL", "{url}/v1"),
        Variable("OPENAI_API_KEY", ANY_KEY),
        # LangChain's and litellm's; beside it LangChain makes no client of Azure.
        Variable("OPENAI_API_BASE", "{url}/v1", only_in_place=True),
    ),
)
AZURE = Provider(
    name="azure",
    error_object=_azure,
    headers=(("x-ms-region", "East US"),),
    gateway_id_header="apim-request-id",
    waits_in_ms_on=_WAIT_IN_MS_ON,
    prefixes=("/openai/",),
    rank=2,
    variables=(
        Variable("AZURE_OPENAI_ENDPOINT", "{url}"),
        Variable("AZURE_OPENAI_API_KEY", ANY_KEY),
        Variable("OPENAI_API_VERSION", _AZURE_VERSION),
        # litellm's.
        Variable("AZURE_API_BASE", "{url}"),
        Variable("AZURE_API_KEY", ANY_KEY),
        Variable("AZURE_API_VERSION", _AZURE_VERSION),
        Variable("AZURE_OPENAI_AD_TOKEN", ANY_KEY, only_in_place=True),
    ),
)
OPENROUTER = Provider(
    name="openrouter",
    error_object=_openrouter,
    content_filter_status=403,
    prefixes=("/api/",),
    rank=3,
    variables=(
        Variable("OPENROUTER_BASE_URL", "{url}/api/v1"),
        Variable("OPENROUTER_API_BASE", "{url}/api/v1"),  # litellm's and LangChain's
        Variable("OPENROUTER_API_KEY", ANY_KEY),
    ),
)
ANTHROPIC = Provider(
    name="anthropic",
    error_object=_anthropic,
    headers=(("anthropic-organization-id", "00000000-0000-4000-8000-000000000001"),),
    request_id_header="request-id",
    error_names_request=True,
    prefixes=("/v1/messages",),
    client_headers=(b"anthropic-version",),
    rank=4,
    variables=(
        Variable("ANTHROPIC_BASE_URL", "{url}"),
        Variable("ANTHROPIC_API_KEY", ANY_KEY),
        # LangChain and litellm look at these two first.
        Variable("ANTHROPIC_API_URL", "{url}"),
        Variable("ANTHROPIC_API_BASE", "{url}"),
        Variable("ANTHROPIC_AUTH_TOKEN", ANY_KEY, only_in_place=True),
    ),
)
